/**
 * Stacks as far transfers, interrupt delivery and segment pushes use them: several values at once, all checked
 * before the first is written, on the current stack or on one that is about to become current.
 *
 * Specification: Intel SDM vol. 1 §6.2, vol. 3A §5.8.5 (stack switching), §6.14.2 (64-bit stack frames).
 */
import { RSP } from "../layout.js";
import { TWO_32 } from "../../../bytes/words.js";
import { ACCESS_DB, ACCESS_DOWN_OR_CONFORMING, VECTOR_SS } from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import * as L from "../layout.js";
import { dataAccessMode } from "../mode.js";
import {
  commitPending,
  explicitHost,
  isAligned,
  isCanonical,
  probe,
  READ,
  readHost,
  WRITE,
  writeHost,
} from "./access.js";
import { GuestFault, throwRecorded } from "./faults.js";

/** A stack: where it is, how far it reaches, and who uses it. */
export interface Stack {
  /** Width of the pointer in bytes: 2, 4 or 8. */
  width: number;
  pointer: number;
  base: number;
  limit: number;
  access: number;
  /** TLB access mode. */
  mode: number;
  /** Error code of a #SS that it raises. */
  errorCode: number;
}

function widthOf(access: number): number {
  return access & ACCESS_DB ? 4 : 2;
}

function cutPointer(pointer: number, width: number): number {
  if (width === 8) return pointer;
  return width === 4 ? pointer >>> 0 : pointer & 0xffff;
}

/** The stack that SS:RSP names now. */
export function currentStack(cpu: CpuContext): Stack {
  const access = cpu.access(L.SS);
  const width = cpu.code64 ? 8 : widthOf(access);
  return {
    width,
    pointer: cutPointer(cpu.getAddress(RSP), width),
    base: width === 8 ? 0 : cpu.segmentBase(L.SS),
    limit: cpu.limit(L.SS),
    access,
    mode: dataAccessMode(cpu, cpu.cpl),
    errorCode: 0,
  };
}

/** A stack outside 64-bit mode that a checked descriptor and a pointer describe, used at privilege `cpl`. */
export function descriptorStack(
  cpu: CpuContext,
  descriptor: Descriptor,
  pointer: number,
  cpl: number,
  errorCode: number,
): Stack {
  const width = widthOf(descriptor.access);
  return {
    width,
    pointer: cutPointer(pointer, width),
    base: descriptor.base,
    limit: descriptor.limit,
    access: descriptor.access,
    mode: dataAccessMode(cpu, cpl),
    errorCode,
  };
}

/** A flat 64-bit stack at `pointer`, used at privilege `cpl`. */
export function flatStack(cpu: CpuContext, pointer: number, cpl: number, errorCode: number): Stack {
  return { width: 8, pointer, base: 0, limit: 0, access: 0, mode: dataAccessMode(cpu, cpl), errorCode };
}

/** Linear address of `size` bytes at `pointer`; throws #SS when they violate the limit. */
function stackLinear(stack: Stack, pointer: number, size: number): number {
  if (stack.width === 8) return pointer;
  const last = pointer + size - 1;
  if (stack.access & ACCESS_DOWN_OR_CONFORMING) {
    const top = stack.access & ACCESS_DB ? TWO_32 - 1 : 0xffff;
    if (pointer <= stack.limit || last > top) throw new GuestFault(VECTOR_SS, stack.errorCode);
  } else if (last > stack.limit) throw new GuestFault(VECTOR_SS, stack.errorCode);
  return (stack.base + pointer) >>> 0;
}

function below(stack: Stack, distance: number): number {
  return cutPointer(stack.pointer - distance, stack.width);
}

/** Throws #SS unless `count` values of `size` bytes fit above the limit; asks no page. */
export function checkRoom(stack: Stack, size: number, count: number): void {
  for (let i = 1; i <= count; i++) stackLinear(stack, below(stack, i * size), size);
}

/** Throws unless `count` values of `size` bytes can be pushed. */
export function checkPush(cpu: CpuContext, stack: Stack, size: number, count: number): void {
  for (let i = 1; i <= count; i++) {
    const linear = stackLinear(stack, below(stack, i * size), size);
    probe(cpu, linear, size, WRITE, stack.mode, VECTOR_SS);
  }
}

/** Throws unless `size` bytes at the stack's pointer, moved down by `distance`, can be written; they are checked for alignment. */
export function checkBelow(cpu: CpuContext, stack: Stack, size: number, distance: number): void {
  const linear = stackLinear(stack, below(stack, distance), size);
  if (isCanonical(linear, size) && !isAligned(cpu, linear, stack.mode, size)) throwRecorded(cpu);
  probe(cpu, linear, size, WRITE, stack.mode, VECTOR_SS);
}

/** Pushes one value of `size` bytes, given as halves, and moves the stack's pointer. */
export function pushPair(cpu: CpuContext, stack: Stack, size: number, low: number, high: number): void {
  const pointer = below(stack, size);
  const linear = stackLinear(stack, pointer, size);
  const host = explicitHost(cpu, linear, size, WRITE, stack.mode, VECTOR_SS);
  writeHost(cpu, host, size, low, high);
  commitPending(cpu);
  stack.pointer = pointer;
}

/** Pushes 8 bytes on the stack of 64-bit mode. */
export function pushQuad(cpu: CpuContext, low: number, high: number): void {
  const pointer = cpu.getAddress(RSP) - 8;
  const host = explicitHost(cpu, pointer, 8, WRITE, dataAccessMode(cpu, cpu.cpl), VECTOR_SS);
  writeHost(cpu, host, 8, low, high);
  commitPending(cpu);
  cpu.setAddress(RSP, pointer);
}

/** Pushes values of `size` bytes, the first one deepest, and moves the stack's pointer. Throws before any write. */
export function pushValues(cpu: CpuContext, stack: Stack, size: number, values: readonly number[]): void {
  if (values.length > 1) checkPush(cpu, stack, size, values.length);
  for (const value of values) pushPair(cpu, stack, size, value >>> 0, Math.floor(value / TWO_32));
}

/** The `index`-th value of `size` bytes above the pointer; nothing moves. Of 8 bytes the upper half is in `cpu.high`. */
export function peek(cpu: CpuContext, stack: Stack, size: number, index: number): number {
  const pointer = cutPointer(stack.pointer + index * size, stack.width);
  const host = explicitHost(cpu, stackLinear(stack, pointer, size), size, READ, stack.mode, VECTOR_SS);
  return readHost(cpu, host, size);
}

/** As `peek`, as an address: 8-byte values signed, exact when canonical. */
export function peekAddress(cpu: CpuContext, stack: Stack, size: number, index: number): number {
  const low = peek(cpu, stack, size, index);
  return size === 8 ? (cpu.high | 0) * TWO_32 + low : low;
}

/** Moves the stack's pointer up by `bytes`. */
export function release(stack: Stack, bytes: number): void {
  stack.pointer = cutPointer(stack.pointer + bytes, stack.width);
}

/** Makes the stack's pointer the CPU's, as wide as the stack is. */
export function storePointer(cpu: CpuContext, stack: Stack): void {
  if (stack.width === 8) cpu.setAddress(RSP, stack.pointer);
  else cpu.writeSlot(RSP, stack.width, stack.pointer);
}
