/**
 * Descriptors as tests write them into tables: segments, system segments, gates. Plain bytes out.
 *
 * Specification: Intel SDM vol. 3A §3.4.5 (segment descriptors), §6.14.1 (64-bit gates), §7.2.3 (TSS descriptor in
 * 64-bit mode).
 */

/** Type field with S, DPL and P as byte 5 of a descriptor has them. */
export const CODE_READABLE = 0x1a;
export const CODE_EXECUTE_ONLY = 0x18;
export const CODE_CONFORMING = 0x1e;
export const DATA_WRITABLE = 0x12;
export const DATA_READ_ONLY = 0x10;
export const DATA_EXPAND_DOWN = 0x16;
export const TYPE_LDT = 0x02;
export const TYPE_TSS_AVAILABLE = 0x09;
export const TYPE_TSS_BUSY = 0x0b;
export const TYPE_CALL_GATE = 0x0c;
export const TYPE_INTERRUPT_GATE = 0x0e;
export const TYPE_TRAP_GATE = 0x0f;

export interface SegmentFields {
  base?: number;
  /** The 20-bit limit field as stored, before granularity. */
  limit?: number;
  /** One of the constants above: S and type. */
  type: number;
  dpl?: number;
  present?: boolean;
  long?: boolean;
  /** D/B: 32-bit. */
  big?: boolean;
  granular?: boolean;
}

const PRESENT = 0x80;
const FLAG_LONG = 0x2;
const FLAG_BIG = 0x4;
const FLAG_GRANULAR = 0x8;

/** An 8-byte segment descriptor. */
export function segmentDescriptor(f: SegmentFields): bigint {
  const base = BigInt(f.base ?? 0);
  const limit = BigInt(f.limit ?? 0xfffff);
  const access = BigInt(f.type | ((f.dpl ?? 0) << 5) | ((f.present ?? true) ? PRESENT : 0));
  const flags =
    (f.long ? FLAG_LONG : 0) | (f.big ? FLAG_BIG : 0) | ((f.granular ?? true) ? FLAG_GRANULAR : 0);
  return (
    (limit & 0xffffn) |
    ((base & 0xffffffn) << 16n) |
    (access << 40n) |
    ((limit >> 16n) << 48n) |
    (BigInt(flags) << 52n) |
    (((base >> 24n) & 0xffn) << 56n)
  );
}

/** A 16-byte TSS or LDT descriptor of 64-bit mode, as two words of 8. */
export function systemDescriptor64(f: SegmentFields): [bigint, bigint] {
  return [segmentDescriptor({ granular: false, ...f }), BigInt(f.base ?? 0) >> 32n];
}

export interface GateFields {
  selector: number;
  offset: number | bigint;
  type: number;
  dpl?: number;
  ist?: number;
  present?: boolean;
}

const gateLow = (f: GateFields, offset: bigint): bigint => {
  const access = BigInt(f.type | ((f.dpl ?? 0) << 5) | ((f.present ?? true) ? PRESENT : 0));
  return (
    (offset & 0xffffn) |
    (BigInt(f.selector) << 16n) |
    (BigInt(f.ist ?? 0) << 32n) |
    (access << 40n) |
    (((offset >> 16n) & 0xffffn) << 48n)
  );
};

/** A 16-byte gate of 64-bit mode, as two words of 8. */
export function gate64(f: GateFields): [bigint, bigint] {
  const offset = BigInt.asUintN(64, BigInt(f.offset));
  return [gateLow(f, offset), offset >> 32n];
}

/** An 8-byte gate of 32-bit protected mode. */
export function gate32(f: GateFields): bigint {
  return gateLow(f, BigInt(f.offset));
}
