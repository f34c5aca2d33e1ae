/** Guest memory without an engine, for tests of what reads and writes it. */
import type { GuestMemory, MemorySpec } from "../../src/engine/contract.js";
import { RamMap, WasmGuestMemory } from "../../src/engine/wasm/guest-memory.js";

/** RAM of its own, all zeros; `written` hears of bytes before they change, by their place in RAM. */
export function plainMemory(
  ranges: MemorySpec["ranges"],
  written: (ramOffset: number, length: number) => void = () => undefined,
): GuestMemory {
  const map = new RamMap(ranges);
  return new WasmGuestMemory(new ArrayBuffer(map.bytes), map, 0, written);
}
