/** What the wasm engine can hold: one WebAssembly memory of 4 GiB with its tables, its CPUs and the guest's RAM. */
import { EngineLimit } from "../contract.js";
import { MAXIMUM_CPUS } from "../../x86/topology.js";
import * as layout from "../x86/layout.js";

/** Pages of a WebAssembly memory that 32-bit addresses reach. */
const LARGEST_MEMORY = 65536;
const MIB = 2 ** 20;

/** Pages of the WebAssembly memory for so much RAM, bytes, and so many CPUs. Throws `EngineLimit`. */
export function memoryPages(ramBytes: number, cpus: number): number {
  checkCpus(cpus);
  const ramBase = layout.ramBase(ramBytes, cpus);
  const pages = Math.ceil((ramBase + ramBytes) / layout.WASM_PAGE);
  if (pages <= LARGEST_MEMORY) return pages;
  throw new EngineLimit(
    `${Math.ceil(ramBytes / MIB)} MiB of RAM do not fit the wasm engine: one WebAssembly memory holds 4 GiB, of which ${mostRam(cpus) / MIB} MiB are left for the guest`,
  );
}

/** The most RAM that fits with so many CPUs, bytes: whole MiB. The engine's tables are the larger, the more RAM there is. */
export function mostRam(cpus: number): number {
  let mib = Math.floor((LARGEST_MEMORY * layout.WASM_PAGE) / MIB);
  while (layout.ramBase(mib * MIB, cpus) + mib * MIB > LARGEST_MEMORY * layout.WASM_PAGE) mib--;
  return mib * MIB;
}

function checkCpus(cpus: number): void {
  if (cpus <= MAXIMUM_CPUS) return;
  throw new EngineLimit(`${cpus} CPUs: the wasm engine holds ${MAXIMUM_CPUS} at most`);
}
