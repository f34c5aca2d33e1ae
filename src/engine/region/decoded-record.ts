/**
 * A decoded instruction's record as numbers, for a compiler that knows operands when it generates code. The layout is
 * x86/record.ts. Knows no instruction.
 */
import * as rec from "../x86/record.js";

export interface DecodedRecord {
  /** Address of the record in the engine's memory. */
  readonly address: number;
  /** Number of the operation, also where the record has become the entry of a region. */
  readonly operation: number;
  readonly length: number;
  readonly addressKind: number;
  /** Offset of the instruction in its page. */
  readonly offset: number;
  /** Byte offsets in the CPU area. */
  readonly a: number;
  readonly b: number;
  readonly x: number;
  readonly v: number;
  readonly scale: number;
  /** Segment index × 8. */
  readonly segment: number;
  readonly repeat: number;
  readonly addressSize: number;
  readonly narrowBranch: boolean;
  readonly immediate: bigint;
  readonly displacement: number;
  /** Record of the branch target, 0 when there is none. */
  readonly link: number;
}

/** Reads the record at `address`, whose operation is `operation`. */
export function readRecord(view: DataView, address: number, operation: number): DecodedRecord {
  const u8 = (at: number): number => view.getUint8(address + at);
  const u16 = (at: number): number => view.getUint16(address + at, true);
  const misc = u8(rec.REC_MISC);
  return {
    address,
    operation,
    length: u8(rec.REC_LENGTH),
    addressKind: u8(rec.REC_EA),
    offset: u16(rec.REC_OFFSET),
    a: u16(rec.REC_A),
    b: u16(rec.REC_B),
    x: u16(rec.REC_X),
    v: u16(rec.REC_V),
    scale: u8(rec.REC_SCALE),
    segment: u8(rec.REC_SEGMENT),
    repeat: u8(rec.REC_REP),
    addressSize: misc & rec.MISC_ADDRESS_SIZE,
    narrowBranch: (misc & rec.MISC_NARROW_BRANCH) !== 0,
    immediate: view.getBigInt64(address + rec.REC_IMMEDIATE, true),
    displacement: view.getInt32(address + rec.REC_DISPLACEMENT, true),
    link: view.getUint32(address + rec.REC_LINK, true),
  };
}
