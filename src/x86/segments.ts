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
import { ACCESS, SEGMENT_TYPE, TSS_LIMIT } from "../spec/x86-system.js";
import type { SegmentRegister } from "./cpu-state.js";

/** Bits 19:0 of a limit counted in 4 KiB units cover this many more low bits. */
const GRANULARITY_SHIFT = 12n;
const GRANULARITY_FILL = 0xfff;
/** Where the access byte and the flags nibble of an access-rights value stand in a descriptor. */
const DESCRIPTOR_ACCESS_SHIFT = 40n;
const ACCESS_LOW_BYTE = 0xff;
const ACCESS_HIGH_NIBBLE = 0xf000;
const LIMIT_MAX = 0xffff_ffff;
const REAL_MODE_LIMIT = 0xffff;

const PRESENT_FLAT = ACCESS.P | ACCESS.S | ACCESS.G;

/** Flat 4 GiB 32-bit code, execute/read. */
export function flatCode32(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS.DB | SEGMENT_TYPE.CODE_XR_ACCESSED;
  return { selector, base: 0n, limit: LIMIT_MAX, access };
}

/** 64-bit code; limit and base are not looked at. */
export function code64(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS.L | SEGMENT_TYPE.CODE_XR_ACCESSED;
  return { selector, base: 0n, limit: LIMIT_MAX, access };
}

/** Flat 4 GiB data, read/write; also a 32-bit stack. */
export function flatData(selector: number): SegmentRegister {
  const access = PRESENT_FLAT | ACCESS.DB | SEGMENT_TYPE.DATA_RW_ACCESSED;
  return { selector, base: 0n, limit: LIMIT_MAX, access };
}

/** A segment as real mode makes it: base = selector × 16, 64 KiB. */
export function realModeSegment(selector: number, code: boolean): SegmentRegister {
  const type = code ? SEGMENT_TYPE.CODE_XR_ACCESSED : SEGMENT_TYPE.DATA_RW_ACCESSED;
  return {
    selector,
    base: BigInt(selector) << 4n,
    limit: REAL_MODE_LIMIT,
    access: ACCESS.P | ACCESS.S | type,
  };
}

/** A register that holds the null selector: any use faults. */
export function unusableSegment(): SegmentRegister {
  return { selector: 0, base: 0n, limit: 0, access: ACCESS.UNUSABLE };
}

/** A busy TSS of the smallest size at base 0: what VMX and PVH demand of TR. */
export function emptyTaskState(selector: number): SegmentRegister {
  return { selector, base: 0n, limit: TSS_LIMIT, access: ACCESS.P | SEGMENT_TYPE.TSS_BUSY };
}

/** LDTR after reset (SDM vol. 3A table 9-1). */
export function resetLdt(): SegmentRegister {
  return { selector: 0, base: 0n, limit: REAL_MODE_LIMIT, access: ACCESS.P | SEGMENT_TYPE.LDT };
}

/** TR after reset (SDM vol. 3A table 9-1). */
export function resetTask(): SegmentRegister {
  return { selector: 0, base: 0n, limit: REAL_MODE_LIMIT, access: ACCESS.P | SEGMENT_TYPE.TSS_BUSY };
}

/**
 * The eight descriptor bytes of a segment as one number. A limit that is not a multiple of 4 KiB less one must
 * be below 1 MiB, else the granularity bit would change it.
 * @throws RangeError
 */
export function encodeDescriptor(segment: SegmentRegister): bigint {
  if ((segment.access & ACCESS.UNUSABLE) !== 0) return 0n;
  const scaled = (segment.access & ACCESS.G) !== 0;
  const exact = scaled
    ? (segment.limit & GRANULARITY_FILL) === GRANULARITY_FILL
    : segment.limit <= LIMIT_MAX >>> Number(GRANULARITY_SHIFT);
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
  const limit = (access & ACCESS.G) !== 0 ? (raw << GRANULARITY_SHIFT) | BigInt(GRANULARITY_FILL) : raw;
  const base = ((descriptor >> 16n) & 0xff_ffffn) | (((descriptor >> 56n) & 0xffn) << 24n);
  return { selector, base, limit: Number(limit), access };
}

/** `code64 base=0x0 limit=0xffffffff dpl=0`: a segment for people. */
export function describeSegment(segment: SegmentRegister): string {
  if ((segment.access & ACCESS.UNUSABLE) !== 0) return "unusable";
  const dpl = (segment.access & ACCESS.DPL_MASK) >> ACCESS.DPL_SHIFT;
  const kind = segmentKind(segment.access);
  return `${kind} base=0x${segment.base.toString(16)} limit=0x${segment.limit.toString(16)} dpl=${dpl}`;
}

function segmentKind(access: number): string {
  const type = access & ACCESS.TYPE_MASK;
  if ((access & ACCESS.S) === 0) return type === SEGMENT_TYPE.LDT ? "ldt" : "tss";
  const width = (access & ACCESS.L) !== 0 ? "64" : (access & ACCESS.DB) !== 0 ? "32" : "16";
  const isCode = (type & (SEGMENT_TYPE.CODE_XR_ACCESSED & ~SEGMENT_TYPE.DATA_RW_ACCESSED)) !== 0;
  return `${isCode ? "code" : "data"}${width}`;
}
