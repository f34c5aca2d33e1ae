/**
 * The WebAssembly memory of a machine: the engine's tables, its CPUs and guest RAM. It may be made before the engine is loaded, so
 * that RAM is read from a file meanwhile.
 */
import type { MemorySpec, PreparedMemory } from "../contract.js";
import * as layout from "../x86/layout.js";
import { RamMap } from "./guest-memory.js";
import { memoryPages } from "./limits.js";

export class WasmPreparedMemory implements PreparedMemory {
  readonly wasm: WebAssembly.Memory;
  readonly map: RamMap;
  /** Byte of the memory at which RAM begins. */
  readonly ramBase: number;
  readonly #cpus: number;
  #taken = false;

  /** Throws `EngineLimit` for more than an engine holds, RangeError for ranges that are none. */
  constructor({ ranges, cpus = 1 }: MemorySpec) {
    this.map = new RamMap(ranges);
    const pages = memoryPages(this.map.bytes, cpus);
    this.ramBase = layout.ramBase(this.map.bytes, cpus);
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#cpus = cpus;
  }

  view(address: number, length: number): Uint8Array | undefined {
    const offset = this.map.find(address, length);
    return offset < 0 ? undefined : new Uint8Array(this.wasm.buffer, this.ramBase + offset, length);
  }

  /** Gives the memory to the machine of `spec`. Throws RangeError where it was made for another. */
  take({ ranges, cpus = 1 }: MemorySpec): this {
    const own = this.map.ranges;
    const same =
      own.length === ranges.length && own.every(({ start, size }, i) => isSpan(ranges[i], start, size));
    if (!same || cpus !== this.#cpus || this.#taken)
      throw new RangeError("memory that was prepared for another machine");
    this.#taken = true;
    return this;
  }
}

const isSpan = (range: MemorySpec["ranges"][number], start: number, size: number): boolean =>
  range.start === start && range.size === size;

/** The memory of a machine: the one that was prepared for it, or a new one. Throws as both do. */
export function memoryFor(spec: MemorySpec): WasmPreparedMemory {
  const { prepared } = spec;
  if (prepared === undefined) return new WasmPreparedMemory(spec);
  if (prepared instanceof WasmPreparedMemory) return prepared.take(spec);
  throw new RangeError("memory that was prepared by another engine");
}
