/** The built-in engine with its compiler: what everybody takes who can wait for both to be loaded. */
import type { Engine } from "../contract.js";
import * as regions from "../region/index.js";
import { WasmEngine, type WasmEngineOptions } from "./vm.js";

export type { WasmEngineOptions } from "./vm.js";

/** The built-in engine: it compiles what runs often, unless `options` or the host's compiler forbid it. */
export function createWasmEngine(options: WasmEngineOptions = {}): Engine {
  const engine = new WasmEngine(options, regions);
  // A plain object: callers make engines of their own of it.
  return {
    name: engine.name,
    capabilities: engine.capabilities,
    probe: () => engine.probe(),
    createVm: (memory, host, events) => engine.createVm(memory, host, events),
  };
}
