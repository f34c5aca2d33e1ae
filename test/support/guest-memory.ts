/** Guest memory without an engine, for tests of what reads and writes it. */
import type { GuestMemory, MemorySpec } from "../../src/engine/contract.js";
import { RamMap, WasmGuestMemory } from "../../src/engine/wasm/guest-memory.js";

/** RAM of its own, all zeros; `changed` hears of bytes before they change, by their place in RAM. No pages are noted. */
export function plainMemory(
  ranges: MemorySpec["ranges"],
  changed: (ramOffset: number, length: number) => void = () => undefined,
): GuestMemory {
  const map = new RamMap(ranges);
  const pages = { mark: () => undefined, unmark: () => undefined, list: () => undefined };
  const observer = {
    changed,
    pages,
    absent: new Uint8Array(map.bytes / 0x1000),
    fetchesLater: () => undefined,
  };
  return new WasmGuestMemory(new ArrayBuffer(map.bytes), map, 0, observer);
}
