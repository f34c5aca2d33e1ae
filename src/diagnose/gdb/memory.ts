/**
 * Guest memory as a debugger reads and writes it: by linear addresses of a CPU, or guest-physical ones. Only RAM: no device is asked,
 * and nothing faults.
 */
import type { MachineDebugging } from "../../machine/debugging.js";
import { SIZE_4K } from "../../spec/x86-system.js";

const ADDRESS_END = 1n << 64n;

/** What an address is. */
export type AddressKind = { linear: number } | "physical";

/** Bytes from `address` up to the first that is not RAM, at most `length`; undefined where the first is not. */
export function readMemory(
  machine: MachineDebugging,
  kind: AddressKind,
  address: bigint,
  length: number,
): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = address + BigInt(done);
    if (at >= ADDRESS_END) break;
    const size = Math.min(length - done, SIZE_4K - Number(at % BigInt(SIZE_4K)));
    const piece = readPiece(machine, kind, at, size);
    if (piece === undefined) break;
    bytes.set(piece, done);
    done += size;
  }
  return done > 0 || length === 0 ? bytes.subarray(0, done) : undefined;
}

function isNumber(address: bigint): boolean {
  return address <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** Within a page. */
function readPiece(
  machine: MachineDebugging,
  kind: AddressKind,
  at: bigint,
  size: number,
): Uint8Array | undefined {
  if (kind !== "physical") return machine.readLinear(kind.linear, at, size);
  return isNumber(at) && machine.memory.contains(Number(at), size)
    ? machine.memory.read(Number(at), size)
    : undefined;
}

/** False, with nothing written, unless all of it is RAM. */
export function writeMemory(
  machine: MachineDebugging,
  kind: AddressKind,
  address: bigint,
  bytes: Uint8Array,
): boolean {
  if (address + BigInt(bytes.length) > ADDRESS_END) return false;
  if (bytes.length === 0) return true;
  if (kind !== "physical") return machine.writeLinear(kind.linear, address, bytes);
  if (!isNumber(address) || !machine.memory.contains(Number(address), bytes.length)) return false;
  machine.memory.write(Number(address), bytes);
  return true;
}
