/**
 * Accesses of generated code and of system instructions to linear memory when they are not a plain TLB hit: checks,
 * translation, pages that cross, devices, pages that hold code. Data that does not lie in one RAM page passes
 * through the CPU's SCRATCH area. Knows no exception delivery: failures are -1 with the reason in the context.
 *
 * Specification: Intel SDM vol. 3A §4.5 (canonical addresses), §6.15 (faults).
 */
import { TWO_32 } from "../../../bytes/words.js";
import { VECTOR_AC, VECTOR_GP } from "../../../spec/x86-privileged.js";
import type { AccessSize } from "../../contract.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { noteDataAccess } from "./breakpoints.js";
import { throwRecorded } from "./faults.js";
import { restoreWriteTag, taggedHost, translatePage } from "./translate.js";

/** Kinds of access, as `info` of generated code numbers them. */
export const READ = 0;
export const WRITE = 1;
export const READ_MODIFY_WRITE = 2;

const CANONICAL_TOP = 2 ** 47;
/** The largest alignment that #AC asks for, bytes (SDM vol. 3A §6.15, #AC); more raises #GP where it is wanted. */
const LARGEST_ALIGNMENT = 8;
/** Bytes of the SCRATCH area. */
export const SCRATCH_SIZE = 64;

/** Whether every byte of `[linear, +size)` is canonical. Behind the last address follows address 0. */
export function isCanonical(linear: number, size = 1): boolean {
  return linear >= -CANONICAL_TOP && linear + size - 1 < CANONICAL_TOP;
}

/** Largest of 4, 2, 1 that does not exceed `length`. */
function pieceSize(length: number): AccessSize {
  if (length >= 4) return 4;
  return length >= 2 ? 2 : 1;
}

/** Copies a few bytes: `copyWithin` costs more than a loop for so little. */
function copy(bytes: Uint8Array, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i];
}

/** Copies guest-physical bytes to host address `target`; devices are read in pieces of at most 4 bytes. */
function gather(cpu: CpuContext, physical: number, target: number, length: number): void {
  const { services, view } = cpu;
  const ramOffset = services.ramOffsetOf(physical);
  if (ramOffset >= 0) {
    copy(cpu.u8, services.ramBase + ramOffset, target, length);
    return;
  }
  for (let done = 0; done < length;) {
    const size = pieceSize(length - done);
    const value = services.host.readMmio(cpu.id, physical + done, size);
    if (size === 4) view.setUint32(target + done, value, true);
    else if (size === 2) view.setUint16(target + done, value, true);
    else view.setUint8(target + done, value);
    done += size;
  }
}

/** Copies bytes at host address `source` to guest-physical memory. */
function scatter(cpu: CpuContext, physical: number, source: number, length: number): void {
  const { services, view } = cpu;
  const ramOffset = services.ramOffsetOf(physical);
  if (ramOffset >= 0) {
    if (services.code.pageHoldsCode(ramOffset)) services.code.invalidate(ramOffset, length);
    copy(cpu.u8, source, services.ramBase + ramOffset, length);
    return;
  }
  for (let done = 0; done < length;) {
    const size = pieceSize(length - done);
    let value: number;
    if (size === 4) value = view.getUint32(source + done, true);
    else if (size === 2) value = view.getUint16(source + done, true);
    else value = view.getUint8(source + done);
    services.host.writeMmio(cpu.id, physical + done, size, value);
    done += size;
  }
}

/** The linear address after `linear` + `distance`: wraps at 4 GiB outside 64-bit mode. */
function advance(cpu: CpuContext, linear: number, distance: number): number {
  const next = linear + distance;
  return next >= TWO_32 && !cpu.longMode ? next - TWO_32 : next;
}

/** An access that crosses pages or reaches a device: through SCRATCH. */
function resolveThroughScratch(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
): number {
  const write = access !== READ;
  const offset = linear & (L.PAGE_SIZE - 1);
  const firstLength = Math.min(size, L.PAGE_SIZE - offset);
  const firstPage = translatePage(cpu, Math.floor(linear / L.PAGE_SIZE), linear, write, mode);
  if (firstPage < 0) return -1;
  const first = firstPage * L.PAGE_SIZE + offset;
  let second = 0;
  if (firstLength < size) {
    const nextLinear = advance(cpu, linear, firstLength);
    const secondPage = translatePage(cpu, Math.floor(nextLinear / L.PAGE_SIZE), nextLinear, write, mode);
    if (secondPage < 0) return -1;
    second = secondPage * L.PAGE_SIZE;
  }
  const scratch = cpu.base + L.SCRATCH;
  if (access !== WRITE) {
    gather(cpu, first, scratch, firstLength);
    if (firstLength < size) gather(cpu, second, scratch + firstLength, size - firstLength);
  }
  if (write) {
    cpu.pendingFirst = first;
    cpu.pendingFirstLength = firstLength;
    cpu.pendingSecond = second;
    cpu.pendingSecondLength = size - firstLength;
  }
  return scratch;
}

/**
 * Host address for an access of `size` ≤ 64 bytes at a linear address under an access mode, or -1 with the fault
 * fields set. An address in SCRATCH needs `commitPending` after a write. Non-canonical: `vector` with code 0.
 */
export function resolveAccess(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
  vector = VECTOR_GP,
): number {
  if (!isCanonical(linear, size)) return cpu.fail(vector, 0, 0);
  cpu.pendingFirstLength = 0;
  const offset = linear & (L.PAGE_SIZE - 1);
  if (offset + size > L.PAGE_SIZE) return resolveThroughScratch(cpu, linear, size, access, mode);
  const page = Math.floor(linear / L.PAGE_SIZE);
  const fast = taggedHost(cpu, linear, page, access !== READ, mode);
  if (fast !== 0) return fast;
  const physicalPage = translatePage(cpu, page, linear, access !== READ, mode);
  if (physicalPage < 0) return -1;
  const { services } = cpu;
  const ramOffset = services.ramOffsetOf(physicalPage * L.PAGE_SIZE);
  if (ramOffset < 0) return resolveThroughScratch(cpu, linear, size, access, mode);
  if (access !== READ) {
    if (services.code.pageHoldsCode(ramOffset)) services.code.invalidate(ramOffset + offset, size);
    if (!services.code.pageHoldsCode(ramOffset)) restoreWriteTag(cpu, page, mode);
  }
  return services.ramBase + ramOffset + offset;
}

/**
 * Whether an explicit data access at a canonical address is aligned where that is checked; if not, #AC is recorded. On
 * the CPUs of both makers this comes before paging. `alignment` is a power of two, bytes.
 */
export function isAligned(cpu: CpuContext, linear: number, mode: number, alignment: number): boolean {
  if (!cpu.alignmentChecks || mode !== L.ACCESS_USER || (linear & (alignment - 1)) === 0) return true;
  cpu.pendingFirstLength = 0;
  cpu.fail(VECTOR_AC, 0, 0);
  return false;
}

/**
 * The last checks of an explicit data access that was translated: alignment (#AC, recorded; the result is false), unless
 * `isAligned` was asked before, and breakpoints, which are only noted.
 */
export function acceptAccess(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
  alignment = size <= LARGEST_ALIGNMENT ? size : 1,
): boolean {
  if (!isAligned(cpu, linear, mode, alignment)) return false;
  if (cpu.breakpoints.data.length > 0) noteDataAccess(cpu, linear, size, access !== READ);
  return true;
}

/** As `resolveAccess`, for data that an instruction of the program accesses: alignment and data breakpoints count. */
export function resolveExplicit(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
  vector = VECTOR_GP,
  alignment = size <= LARGEST_ALIGNMENT ? size : 1,
): number {
  if (cpu.alignmentChecks && isCanonical(linear, size) && !isAligned(cpu, linear, mode, alignment)) return -1;
  const host = resolveAccess(cpu, linear, size, access, mode, vector);
  if (host >= 0 && cpu.breakpoints.data.length > 0) noteDataAccess(cpu, linear, size, access !== READ);
  return host;
}

/** Writes out what the last write left in SCRATCH; nothing when it went straight to RAM. */
export function commitPending(cpu: CpuContext): void {
  const length = cpu.pendingFirstLength;
  if (length === 0) return;
  cpu.pendingFirstLength = 0;
  const scratch = cpu.base + L.SCRATCH;
  scatter(cpu, cpu.pendingFirst, scratch, length);
  if (cpu.pendingSecondLength > 0) {
    scatter(cpu, cpu.pendingSecond, scratch + length, cpu.pendingSecondLength);
  }
}

/** As `resolveAccess`, but throws the fault. */
export function hostAddress(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
  vector = VECTOR_GP,
): number {
  const host = resolveAccess(cpu, linear, size, access, mode, vector);
  if (host < 0) throwRecorded(cpu);
  return host;
}

/** As `resolveExplicit`, but throws the fault. */
export function explicitHost(
  cpu: CpuContext,
  linear: number,
  size: number,
  access: number,
  mode: number,
  vector = VECTOR_GP,
  alignment = size <= LARGEST_ALIGNMENT ? size : 1,
): number {
  const host = resolveExplicit(cpu, linear, size, access, mode, vector, alignment);
  if (host < 0) throwRecorded(cpu);
  return host;
}

/** Reads 1, 2 or 4 bytes, unsigned. Throws a guest fault. */
export function readMemory(cpu: CpuContext, linear: number, size: number, mode: number): number {
  const host = hostAddress(cpu, linear, size, READ, mode);
  return readHost(cpu, host, size);
}

/** Reads 8 bytes: returns the lower half, the upper half is in `cpu.high`. */
export function readPair(cpu: CpuContext, linear: number, mode: number): number {
  const host = hostAddress(cpu, linear, 8, READ, mode);
  cpu.high = cpu.view.getUint32(host + 4, true);
  return cpu.view.getUint32(host, true);
}

/** Writes the low 1, 2, 4 or 8 bytes of (high, low). */
export function writeMemory(
  cpu: CpuContext,
  linear: number,
  size: number,
  mode: number,
  low: number,
  high = 0,
): void {
  const host = hostAddress(cpu, linear, size, WRITE, mode);
  writeHost(cpu, host, size, low, high);
  commitPending(cpu);
}

/** 1, 2 or 4 bytes at a host address of any alignment, unsigned; of 8 bytes the lower half (upper in `cpu.high`). */
export function readHost(cpu: CpuContext, host: number, size: number): number {
  if (size === 8) cpu.high = cpu.view.getUint32(host + 4, true);
  if (size >= 4) return cpu.view.getUint32(host, true);
  return size === 2 ? cpu.view.getUint16(host, true) : cpu.u8[host];
}

/** Stores `size` (1, 2, 4 or 8) bytes at a host offset that a write access has already been resolved to. */
export function writeHost(cpu: CpuContext, host: number, size: number, low: number, high = 0): void {
  if (size >= 4) cpu.view.setUint32(host, low, true);
  else if (size === 2) cpu.view.setUint16(host, low, true);
  else cpu.u8[host] = low;
  if (size === 8) cpu.view.setUint32(host + 4, high, true);
}

/** Translates the whole of `[linear, +length)` for an access, so that the pieces that follow cannot fault. */
export function probe(
  cpu: CpuContext,
  linear: number,
  length: number,
  access: number,
  mode: number,
  vector = VECTOR_GP,
): void {
  if (!isCanonical(linear, length)) {
    cpu.fail(vector, 0, 0);
    throwRecorded(cpu);
  }
  for (let at = linear; at < linear + length; at = (Math.floor(at / L.PAGE_SIZE) + 1) * L.PAGE_SIZE) {
    const page = Math.floor(at / L.PAGE_SIZE);
    if (translatePage(cpu, page, at, access !== READ, mode) < 0) throwRecorded(cpu);
  }
}

/** Copies `[linear, +bytes.length)` into `bytes`. Non-canonical: `vector` with code 0. */
export function readBytes(
  cpu: CpuContext,
  linear: number,
  bytes: Uint8Array,
  mode: number,
  vector = VECTOR_GP,
): void {
  probe(cpu, linear, bytes.length, READ, mode, vector);
  for (let done = 0; done < bytes.length; done += SCRATCH_SIZE) {
    const size = Math.min(SCRATCH_SIZE, bytes.length - done);
    const host = hostAddress(cpu, linear + done, size, READ, mode);
    bytes.set(cpu.u8.subarray(host, host + size), done);
  }
}

/** Copies `bytes` to `[linear, +bytes.length)`; nothing is written when any of it would fault. */
export function writeBytes(cpu: CpuContext, linear: number, bytes: Uint8Array, mode: number): void {
  probe(cpu, linear, bytes.length, WRITE, mode);
  for (let done = 0; done < bytes.length; done += SCRATCH_SIZE) {
    const size = Math.min(SCRATCH_SIZE, bytes.length - done);
    const host = hostAddress(cpu, linear + done, size, WRITE, mode);
    cpu.u8.set(bytes.subarray(done, done + size), host);
    commitPending(cpu);
  }
}
