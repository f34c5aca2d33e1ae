/**
 * Memory and descriptors as the quick paths of exceptions, interrupts and IRET read them: only what the data TLB answers
 * at once. Whatever it does not answer is for the exact functions in `system/`, before anything has changed.
 *
 * Specification: Intel SDM vol. 3A §3.4.5 (descriptors), §4.6 (rights of implicit accesses).
 */
import { DESCRIPTOR_SIZE } from "../../../spec/x86-system.js";
import {
  ACCESS_ACCESSED,
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_DOWN_OR_CONFORMING,
  ACCESS_DPL,
  ACCESS_DPL_SHIFT,
  ACCESS_L,
  ACCESS_P,
  ACCESS_S,
  ACCESS_UNUSABLE,
  ACCESS_WRITE_OR_READ,
  CR4_SMAP,
  FLAG_AC,
  SELECTOR_ERROR,
  SELECTOR_TI,
} from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import { DPL_AND_TYPE_SHIFT, LIMIT_HIGH, PAGE_LOW_BITS, VMX_ACCESS } from "../descriptor-words.js";
import * as L from "../layout.js";
import type { Access, InstructionBuilder } from "./instruction-builder.js";

/** Leaves for the exact path when the condition holds. */
export type LeaveIf = (condition: Value) => void;

const GRANULAR = 1 << 23;

/** The two words of a descriptor. */
export interface DescriptorWords {
  readonly low: Value;
  readonly high: Value;
}

/** What a segment register holds besides its selector. */
export interface SegmentParts {
  readonly base: Value;
  readonly limit: Value;
  readonly access: Value;
}

/** Host address of the TLB of an access mode, which `mode` is the number of. */
export function tlbOf(b: InstructionBuilder, mode: Value): Value {
  return b.add(b.parameter(0), b.add(b.mul(mode, b.i32(L.TLB_BYTES)), b.i32(L.TLB)));
}

/** Access mode of supervisors; with SMAP, AC (as it is in `flags`) decides. */
export function supervisorMode(b: InstructionBuilder, flags: Value): Value {
  const smap = b.and(b.state("i32.load", L.CR4), b.i32(CR4_SMAP));
  const kept = b.and(b.ne(smap, b.i32(0)), b.eqz(b.and(flags, b.i32(FLAG_AC))));
  return b.select(kept, b.i32(L.ACCESS_SUPERVISOR), b.i32(L.ACCESS_SUPERVISOR_USER));
}

/** TLB of the CPU's own accesses to descriptor tables and task-state segments. */
export function implicitTlb(b: InstructionBuilder): Value {
  return tlbOf(b, supervisorMode(b, b.i32(0)));
}

/** Host address of `size` bytes of RAM that a TLB answers for. */
export function hit(
  b: InstructionBuilder,
  tlb: Value,
  linear: Value,
  size: number | Value,
  access: Access,
  leaveIf: LeaveIf,
): Value {
  const entry = b.add(tlb, b.tlbOffset(linear));
  const bytes = typeof size === "number" ? b.i64(size) : b.extendU(size);
  const last = b.sub(b.add(linear, bytes), b.i64(1));
  const tag = b.load("i64.load", entry, access === "read" ? L.TLB_READ_TAG : L.TLB_WRITE_TAG);
  leaveIf(b.ne(tag, b.and(last, b.i64(-L.PAGE_SIZE))));
  return b.add(b.wrap(linear), b.load("i32.load", entry, L.TLB_ADDEND));
}

/** The descriptor of a selector in the GDT. Null selectors and the LDT are the exact path's. */
export function globalDescriptor(b: InstructionBuilder, selector: Value, leaveIf: LeaveIf): DescriptorWords {
  leaveIf(b.or(b.and(selector, b.i32(SELECTOR_TI)), b.eqz(b.and(selector, b.i32(SELECTOR_ERROR)))));
  const offset = b.and(selector, b.i32(SELECTOR_ERROR & ~SELECTOR_TI));
  const last = b.add(offset, b.i32(DESCRIPTOR_SIZE - 1));
  leaveIf(b.gtU(last, b.state("i32.load", L.GDTR_LIMIT)));
  const linear = b.add(b.state("i64.load", L.GDTR_BASE), b.extendU(offset));
  const host = hit(b, implicitTlb(b), linear, DESCRIPTOR_SIZE, "read", leaveIf);
  return { low: b.load("i32.load", host), high: b.load("i32.load", host, 4) };
}

/** Base, limit and rights of a descriptor; `decodeDescriptor` is its twin. */
export function segmentParts(b: InstructionBuilder, { low, high }: DescriptorWords): SegmentParts {
  const upper = b.or(b.shl(b.and(high, b.i32(0xff)), b.i32(16)), b.and(high, b.i32(0xff000000)));
  const raw = b.or(b.and(low, b.i32(0xffff)), b.and(high, b.i32(LIMIT_HIGH)));
  const paged = b.or(b.shl(raw, b.i32(L.PAGE_SHIFT)), b.i32(PAGE_LOW_BITS));
  return {
    base: b.extendU(b.or(b.shrU(low, b.i32(16)), upper)),
    limit: b.select(b.and(high, b.i32(GRANULAR)), paged, raw),
    access: b.and(b.shrU(high, b.i32(DPL_AND_TYPE_SHIFT)), b.i32(VMX_ACCESS)),
  };
}

function isOfLevel(b: InstructionBuilder, access: Value, mask: number, wanted: number, cpl: Value): Value {
  const level = b.or(b.shl(cpl, b.i32(ACCESS_DPL_SHIFT)), b.i32(wanted));
  return b.eq(b.and(access, b.i32(mask | ACCESS_DPL)), level);
}

/** Whether these are the rights of a 64-bit code segment of level `cpl`, not conforming, present, accessed before. */
export function isPlainCode64(b: InstructionBuilder, access: Value, cpl: Value): Value {
  const wanted = ACCESS_P | ACCESS_S | ACCESS_CODE | ACCESS_L | ACCESS_ACCESSED;
  return isOfLevel(b, access, wanted | ACCESS_DB | ACCESS_DOWN_OR_CONFORMING, wanted, cpl);
}

/** Whether these are the rights of a writable data segment of level `cpl`, present, accessed before. */
export function isPlainStack(b: InstructionBuilder, access: Value, cpl: Value): Value {
  const wanted = ACCESS_P | ACCESS_S | ACCESS_WRITE_OR_READ | ACCESS_ACCESSED;
  return isOfLevel(b, access, wanted | ACCESS_CODE, wanted, cpl);
}

/** Rights of the null SS of 64-bit code at a level. */
export function nullStackAccess(b: InstructionBuilder, cpl: Value): Value {
  return b.or(b.shl(cpl, b.i32(ACCESS_DPL_SHIFT)), b.i32(ACCESS_UNUSABLE));
}

/** Loads a segment register: selector (i32) and what a checked descriptor says. */
export function setSegment(
  b: InstructionBuilder,
  segment: number,
  selector: Value,
  { base, limit, access }: SegmentParts,
): void {
  b.setState("i32.store", L.SEGMENT_SELECTOR + segment * 4, selector);
  b.setState("i64.store", L.SEGMENT_BASE + segment * 8, base);
  b.setState("i32.store", L.SEGMENT_LIMIT + segment * 4, limit);
  b.setState("i32.store", L.SEGMENT_ACCESS + segment * 4, access);
}

/** Whether a linear address (i64) is canonical. */
export function isCanonical(b: InstructionBuilder, linear: Value): Value {
  return b.eq(b.signExtended(linear), linear);
}
