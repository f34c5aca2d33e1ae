/**
 * Descriptor tables in guest memory: reading a code, data or system descriptor by selector, marking it accessed or
 * busy. Knows no instruction; throws guest faults.
 *
 * ```
 *  high  31..24       23  22   21  20  19..16        15  14..13  12  11..8   7..0
 *       ┌────────────┬───┬────┬───┬───┬─────────────┬───┬──────┬───┬───────┬─────────────┐
 *       │ base 31:24 │ G │D/B │ L │AVL│ limit 19:16 │ P │ DPL  │ S │ type  │ base 23:16  │
 *       └────────────┴───┴────┴───┴───┴─────────────┴───┴──────┴───┴───────┴─────────────┘
 *  low   base 15:0 · limit 15:0
 * ```
 * Specification: Intel SDM vol. 3A §3.4.5, §3.5, §7.2.3 (16-byte descriptors).
 */
import { DESCRIPTOR_SIZE } from "../../../spec/x86-system.js";
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_ACCESSED,
  ACCESS_G,
  ACCESS_P,
  ACCESS_S,
  ACCESS_UNUSABLE,
  SELECTOR_ERROR,
  SELECTOR_TI,
  VECTOR_GP,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import { DPL_AND_TYPE_SHIFT, LIMIT_HIGH, PAGE_LOW_BITS, VMX_ACCESS } from "../descriptor-words.js";
import * as L from "../layout.js";
import { implicitAccessMode } from "../mode.js";
import { readMemory, readPair, writeMemory } from "./access.js";
import { GuestFault } from "./faults.js";

const SYSTEM_DESCRIPTOR_SIZE = 16;
/** Where the upper half of a 16-byte descriptor would have S and type if it were one of its own: must be zero. */
const UPPER_TYPE = 0x1f00;
/** Byte of a descriptor that holds type, S, DPL and P. */
const TYPE_BYTE = 5;

/** Whether a selector names the null descriptor. */
export function isNull(selector: number): boolean {
  return (selector & SELECTOR_ERROR) === 0;
}

/** Base, limit and access rights of the two words of a descriptor. */
export function decodeDescriptor(linear: number, low: number, high: number): Descriptor {
  const access = (high >>> DPL_AND_TYPE_SHIFT) & VMX_ACCESS;
  const raw = (low & 0xffff) | (high & LIMIT_HIGH);
  return {
    linear,
    low,
    high,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    limit: access & ACCESS_G ? ((raw << 12) | PAGE_LOW_BITS) >>> 0 : raw,
    access,
  };
}

/** Linear address of a selector's descriptor; throws `vector`(selector) when it lies outside its table. */
function descriptorAddress(
  cpu: CpuContext,
  selector: number,
  size: number,
  vector: number,
  external: number,
): number {
  const offset = selector & ~7;
  const local = (selector & SELECTOR_TI) !== 0;
  const limit = local ? cpu.limit(L.LDTR) : cpu.get32(L.GDTR_LIMIT);
  const missing = local && (cpu.access(L.LDTR) & ACCESS_UNUSABLE) !== 0;
  if (missing || offset + size - 1 > limit) {
    throw new GuestFault(vector, (selector & SELECTOR_ERROR) | external);
  }
  const base = cpu.getAddress(local ? L.LDTR_BASE : L.GDTR_BASE) + offset;
  return cpu.longMode ? base : base >>> 0;
}

/** The 8-byte descriptor of a selector that is not null. `external` is the EXT bit of a possible error code. */
export function readDescriptor(
  cpu: CpuContext,
  selector: number,
  vector = VECTOR_GP,
  external = 0,
): Descriptor {
  const linear = descriptorAddress(cpu, selector, DESCRIPTOR_SIZE, vector, external);
  const low = readPair(cpu, linear, implicitAccessMode(cpu));
  return decodeDescriptor(linear, low, cpu.high);
}

/** A system descriptor: of 16 bytes in IA-32e mode, where the base (or a gate's offset) has 64 bits. */
export function readSystemDescriptor(
  cpu: CpuContext,
  selector: number,
  vector = VECTOR_GP,
  external = 0,
): Descriptor {
  if (!cpu.longMode) return readDescriptor(cpu, selector, vector, external);
  const linear = descriptorAddress(cpu, selector, SYSTEM_DESCRIPTOR_SIZE, vector, external);
  const mode = implicitAccessMode(cpu);
  const low = readPair(cpu, linear, mode);
  const descriptor = decodeDescriptor(linear, low, cpu.high);
  descriptor.base += (readMemory(cpu, linear + DESCRIPTOR_SIZE, 4, mode) | 0) * TWO_32;
  const top = readMemory(cpu, linear + DESCRIPTOR_SIZE + 4, 4, mode);
  if (!isCodeOrData(descriptor) && top & UPPER_TYPE) {
    throw new GuestFault(vector, (selector & SELECTOR_ERROR) | external);
  }
  return descriptor;
}

/** Writes the byte with a descriptor's type and keeps the decoded copy in step. */
function setTypeBits(cpu: CpuContext, descriptor: Descriptor, set: number, clear: number): void {
  const byte = ((descriptor.high >>> 8) & 0xff & ~clear) | set;
  writeMemory(cpu, descriptor.linear + TYPE_BYTE, 1, implicitAccessMode(cpu), byte);
  descriptor.access = (descriptor.access & ~0xff) | byte;
  descriptor.high = (descriptor.high & ~0xff00) | (byte << 8);
}

/** Sets the accessed bit of a code or data descriptor that lacks it. */
export function markAccessed(cpu: CpuContext, descriptor: Descriptor): void {
  if (descriptor.access & ACCESS_ACCESSED) return;
  setTypeBits(cpu, descriptor, ACCESS_ACCESSED, 0);
}

/** Sets and clears bits of a system descriptor's type, for instance "busy". */
export function setDescriptorType(cpu: CpuContext, descriptor: Descriptor, set: number, clear = 0): void {
  setTypeBits(cpu, descriptor, set, clear);
}

/** Whether the descriptor is for code or data and present; helpers for the checks of segment loads. */
export function isCodeOrData(descriptor: Descriptor): boolean {
  return (descriptor.access & ACCESS_S) !== 0;
}
/** Whether the P bit is set. */
export function isPresent(descriptor: Descriptor): boolean {
  return (descriptor.access & ACCESS_P) !== 0;
}
