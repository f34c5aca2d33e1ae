/**
 * Reads the Linux/x86 setup header out of a file, every field that its protocol version has. Knows nothing of
 * where a kernel is loaded. Source: boot.rst, "The Real-Mode Kernel Header" (numbers in spec/linux-boot.ts).
 */
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import {
  BOOT_FLAG,
  BOOT_FLAG_OFFSET,
  HEADER_MAGIC,
  HEADER_OFFSET,
  JUMP_OFFSET,
  JUMP_OPCODE,
  PROTOCOL,
  PROTOCOL_END,
  SETUP_FIELDS,
  SETUP_OFFSET,
} from "../../spec/linux-boot.js";
import type { SetupFieldSpec, SetupHeader } from "../../spec/linux-boot.js";
import { FormatError } from "../format-error.js";

export const BZIMAGE = "bzImage";

/** A field with its value as it stands in the file. */
export interface SetupField extends SetupFieldSpec {
  readonly value: number | bigint;
}

/** The header as read. */
export interface ReadSetupHeader {
  readonly header: SetupHeader;
  /** The fields that this protocol version has, in file order. */
  readonly fields: readonly SetupField[];
  /** File offset after the header, from `jump`. */
  readonly end: number;
}

/** Whether the bytes have the magic numbers of protocol 2.00 and later. */
export function hasSetupHeader(view: ByteView): boolean {
  return view.matches(HEADER_OFFSET, HEADER_MAGIC) && view.u16(BOOT_FLAG_OFFSET) === BOOT_FLAG;
}

/** `2.15` for 0x020f. */
export function protocolName(version: number): string {
  return `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
}

/** Where the header ends by its jump instruction; refuses a jump that is none, or lands inside known fields. */
function headerEnd(view: ByteView, version: number): number {
  const opcode = view.u8(JUMP_OFFSET);
  if (opcode !== JUMP_OPCODE) {
    throw new FormatError(BZIMAGE, {
      offset: JUMP_OFFSET,
      found: `opcode ${hex(opcode, 2)} at jump`,
      expected: `${hex(JUMP_OPCODE)} (JMP rel8), which gives the length of the setup header`,
      meaning: "The setup header is damaged: fetch or build the kernel again.",
    });
  }
  const end = HEADER_OFFSET + view.u8(JUMP_OFFSET + 1);
  const needed = SETUP_OFFSET.heap_end_ptr;
  if (end < needed || !view.holds(0, end)) {
    throw new FormatError(BZIMAGE, {
      offset: JUMP_OFFSET + 1,
      found: `a setup header that ends at ${hex(end)} (protocol ${protocolName(version)})`,
      expected: `an end from ${hex(needed)} on, inside the file of ${view.length} bytes`,
      meaning: "The file is cut short or its header is damaged: fetch or build the kernel again.",
    });
  }
  return end;
}

/**
 * Reads the header. Requires `hasSetupHeader`. A field is present when the protocol version has it and it ends
 * within the header. Throws FormatError.
 */
export function readSetupHeader(view: ByteView): ReadSetupHeader {
  const version = view.u16(SETUP_OFFSET.version);
  if (version < PROTOCOL.V2_00 || version >= PROTOCOL_END) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.version,
      found: `boot protocol ${protocolName(version)} (${hex(version, 4)})`,
      expected: "2.00 to 2.15, or a later 2.x",
      meaning: "No Linux kernel has this version: the header is damaged, or it is not a Linux kernel.",
    });
  }
  const end = headerEnd(view, version);
  const header: Record<string, number | bigint> = {};
  const fields: SetupField[] = [];
  for (const spec of SETUP_FIELDS) {
    const present = version >= spec.since && spec.offset + spec.size <= end;
    const value = present ? readField(view, spec, version) : spec.size === 8 ? 0n : 0;
    header[spec.name] = value;
    if (present) fields.push({ ...spec, value });
  }
  return { header: header as SetupHeader, fields, end };
}

function readField(view: ByteView, spec: SetupFieldSpec, version: number): number | bigint {
  // Before 2.04 the upper half of syssize belongs to another, obsolete field.
  if (spec.name === "syssize" && version < PROTOCOL.V2_04) return view.u16(spec.offset);
  switch (spec.size) {
    case 1:
      return view.u8(spec.offset);
    case 2:
      return view.u16(spec.offset);
    case 4:
      return view.u32(spec.offset);
    case 8:
      return view.u64(spec.offset);
  }
}
