/**
 * Segment registers and their descriptors: the hidden part as VMX writes it, the eight bytes as the GDT holds
 * them, and the way between. Knows no boot protocol.
 *
 * ```
 *  63     56 55 54 53 52 51  48 47 46 45 44 43  40 39     32 31          16 15           0
 * ┌─────────┬──┬──┬──┬──┬──────┬──┬─────┬──┬──────┬─────────┬──────────────┬──────────────┐
 * │base31:24│ G│DB│ L│AV│lim   │ P│ DPL │ S│ type │base23:16│  base 15:0   │  limit 15:0  │  SDM vol. 3A §3.4.5
 * │         │  │  │  │ L│19:16 │  │     │  │      │         │              │              │
 * └─────────┴──┴──┴──┴──┴──────┴──┴─────┴──┴──────┴─────────┴──────────────┴──────────────┘
 * ```
 */
import {
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_DPL,
  ACCESS_DPL_SHIFT,
  ACCESS_G,
  ACCESS_L,
  ACCESS_P,
  ACCESS_S,
  ACCESS_TYPE,
  ACCESS_UNUSABLE,
  FLAT_LIMIT,
  TSS_MIN_LIMIT,
  TYPE_CODE_XR_ACCESSED,
  TYPE_DATA_RW_ACCESSED,
  TYPE_LDT,
  TYPE_TSS_BUSY,
} from "../spec/x86-privileged.js";
import type { SegmentRegister } from "./cpu-state.js";

/** Bits 19:0 of a limit counted in 4 KiB units cover this many more low bits. */
const GRANULARITY_SHIFT = 12n;
const GRANULARITY_FILL = 0xfff;
/** Where the access byte and the flags nibble of an access-rights value stand in a descriptor. */
const DESCRIPTOR_ACCESS_SHIFT = 40n;
const ACCESS_LOW_BYTE = 0xff;
const ACCESS_HIGH_NIBBLE = 0xf000;
const REAL_MODE_LIMIT = 0xffff;

const PRESENT_FLAT = ACCESS_P | ACCESS_S | ACCESS_G;

/** Flat 4 GiB 32-bit code, execute/read. */
export function flatCode32(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS_DB | TYPE_CODE_XR_ACCESSED;
  return { selector, base: 0n, limit: FLAT_LIMIT, access };
}

/** 64-bit code; limit and base are not looked at. */
export function code64(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS_L | TYPE_CODE_XR_ACCESSED;
  return { selector, base: 0n, limit: FLAT_LIMIT, access };
}

/** Flat 4 GiB data, read/write; also a 32-bit stack. */
export function flatData(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS_DB | TYPE_DATA_RW_ACCESSED;
  return { selector, base: 0n, limit: FLAT_LIMIT, access };
}

/** A segment as real mode makes it: base = selector × 16, 64 KiB. */
export function realModeSegment(selector: number, code: boolean): SegmentRegister {
  const type = code ? TYPE_CODE_XR_ACCESSED : TYPE_DATA_RW_ACCESSED;
  return {
    selector,
    base: BigInt(selector) << 4n,
    limit: REAL_MODE_LIMIT,
    access: ACCESS_P | ACCESS_S | type,
  };
}

/** A register that holds the null selector: any use faults. */
export function unusableSegment(): SegmentRegister {
  return { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE };
}

/** A busy TSS of the smallest size at base 0: what VMX and PVH demand of TR. */
export function emptyTaskState(selector: number): SegmentRegister {
  return { selector, base: 0n, limit: TSS_MIN_LIMIT, access: ACCESS_P | TYPE_TSS_BUSY };
}

/** LDTR after reset (SDM vol. 3A table 9-1). */
export function resetLdt(): SegmentRegister {
  return { selector: 0, base: 0n, limit: REAL_MODE_LIMIT, access: ACCESS_P | TYPE_LDT };
}

/** TR after reset (SDM vol. 3A table 9-1). */
export function resetTask(): SegmentRegister {
  return { selector: 0, base: 0n, limit: REAL_MODE_LIMIT, access: ACCESS_P | TYPE_TSS_BUSY };
}

/**
 * The eight descriptor bytes of a segment as one number. A limit that is not a multiple of 4 KiB less one must
 * be below 1 MiB, else the granularity bit would change it.
 * @throws RangeError
 */
export function encodeDescriptor(segment: SegmentRegister): bigint {
  if ((segment.access & ACCESS_UNUSABLE) !== 0) return 0n;
  const scaled = (segment.access & ACCESS_G) !== 0;
  const exact = scaled
    ? (segment.limit & GRANULARITY_FILL) === GRANULARITY_FILL
    : segment.limit <= FLAT_LIMIT >>> Number(GRANULARITY_SHIFT);
  if (!exact)
    throw new RangeError(`segment limit 0x${segment.limit.toString(16)} does not fit its granularity`);
  const limit = BigInt(segment.limit) >> (scaled ? GRANULARITY_SHIFT : 0n);
  const access = BigInt(segment.access & (ACCESS_LOW_BYTE | ACCESS_HIGH_NIBBLE)) << DESCRIPTOR_ACCESS_SHIFT;
  const base = segment.base & 0xffff_ffffn;
  return (
    (limit & 0xffffn) |
    ((base & 0xff_ffffn) << 16n) |
    access |
    ((limit >> 16n) << 48n) |
    ((base >> 24n) << 56n)
  );
}

/** The hidden part that loading `selector` from these eight bytes gives. A zero descriptor is unusable. */
export function decodeDescriptor(descriptor: bigint, selector: number): SegmentRegister {
  if (descriptor === 0n) return { ...unusableSegment(), selector };
  const access = Number(descriptor >> DESCRIPTOR_ACCESS_SHIFT) & (ACCESS_LOW_BYTE | ACCESS_HIGH_NIBBLE);
  const raw = (descriptor & 0xffffn) | (((descriptor >> 48n) & 0xfn) << 16n);
  const limit = (access & ACCESS_G) !== 0 ? (raw << GRANULARITY_SHIFT) | BigInt(GRANULARITY_FILL) : raw;
  const base = ((descriptor >> 16n) & 0xff_ffffn) | (((descriptor >> 56n) & 0xffn) << 24n);
  return { selector, base, limit: Number(limit), access };
}

/** `code64 base=0x0 limit=0xffffffff dpl=0`: a segment for people. */
export function describeSegment(segment: SegmentRegister): string {
  if ((segment.access & ACCESS_UNUSABLE) !== 0) return "unusable";
  const dpl = (segment.access & ACCESS_DPL) >> ACCESS_DPL_SHIFT;
  const kind = segmentKind(segment.access);
  return `${kind} base=0x${segment.base.toString(16)} limit=0x${segment.limit.toString(16)} dpl=${dpl}`;
}

function segmentKind(access: number): string {
  const type = access & ACCESS_TYPE;
  if ((access & ACCESS_S) === 0) return type === TYPE_LDT ? "ldt" : "tss";
  const width = (access & ACCESS_L) !== 0 ? "64" : (access & ACCESS_DB) !== 0 ? "32" : "16";
  const isCode = (type & ACCESS_CODE) !== 0;
  return `${isCode ? "code" : "data"}${width}`;
}
