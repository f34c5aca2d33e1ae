/** What the wasm engine can hold: one WebAssembly memory of 4 GiB with its tables, its CPUs and the guest's RAM. */
import { EngineLimit } from "../contract.js";
import * as layout from "../x86/layout.js";

/** Pages of a WebAssembly memory that 32-bit addresses reach. */
const LARGEST_MEMORY = 65536;
const MIB = 2 ** 20;

/** Pages of the WebAssembly memory for so much RAM, bytes. Throws `EngineLimit`. */
export function memoryPages(ramBytes: number): number {
  const ramBase = layout.ramBase(ramBytes);
  const pages = Math.ceil((ramBase + ramBytes) / layout.WASM_PAGE);
  if (pages <= LARGEST_MEMORY) return pages;
  const most = Math.floor((LARGEST_MEMORY * layout.WASM_PAGE - ramBase) / MIB);
  throw new EngineLimit(
    `${Math.ceil(ramBytes / MIB)} MiB of RAM do not fit the wasm engine: one WebAssembly memory holds 4 GiB, of which ${most} MiB are left for the guest`,
  );
}

/** The most RAM that fits, bytes: whole MiB. */
export function mostRam(): number {
  let mib = Math.floor((LARGEST_MEMORY * layout.WASM_PAGE) / MIB);
  while (layout.ramBase(mib * MIB) + mib * MIB > LARGEST_MEMORY * layout.WASM_PAGE) mib--;
  return mib * MIB;
}

/** Throws `EngineLimit` for a CPU that there is no room for; ids count from 0. */
export function checkCpu(id: number): void {
  if (id < layout.MAX_CPUS) return;
  throw new EngineLimit(`CPU ${id}: the wasm engine holds ${layout.MAX_CPUS} CPUs at most`);
}
