/**
 * Reader for PC firmware: a raw image without any header, which is known by its size and by its last 16 bytes, the
 * reset vector. Knows no loader and no memory map.
 *
 * Specification: Intel SDM vol. 3A §9.1.4; fields as `spec/pc-firmware.ts` names their sources.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex, hexBytes } from "../../bytes/hex.js";
import {
  BIOS_DATE,
  FIRMWARE_SIZE,
  FIRMWARE_VOLUME,
  LAST_PARAGRAPH,
  RESET_CODE,
  RESET_VECTOR_FROM_END,
} from "../../spec/pc-firmware.js";
import { once, type Fact, type ImageBase } from "../image.js";

/** A PC firmware image. */
export interface FirmwareImage extends ImageBase {
  readonly format: "firmware";
  readonly arch: "i386";
  /** "SeaBIOS", "UEFI firmware volume"; undefined when it does not say. */
  readonly kind: string | undefined;
  /** The jump at the reset vector. */
  readonly jump: ResetJump;
}

/** Where the first jump stands and where it leads. */
export interface ResetJump {
  /** File offset of the jump. */
  readonly offset: number;
  /** For people: "far jump to f000:e05b". */
  readonly text: string;
}

const ADDRESS_TOP = 0x1_0000_0000;
/** Names that firmware has in its strings, in the order they are looked for. */
const NAMES: readonly (readonly [text: string, kind: string])[] = [["SeaBIOS (version", "SeaBIOS"]];

/**
 * Follows the instructions of the reset vector to its jump. Undefined when there is none within the 16 bytes: then it
 * is no firmware.
 */
export function resetJump(view: ByteView): ResetJump | undefined {
  const { LEAST, MOST, UNIT } = FIRMWARE_SIZE;
  if (view.length < LEAST || view.length > MOST || view.length % UNIT !== 0) return undefined;
  const start = view.length - RESET_VECTOR_FROM_END;
  const base = ADDRESS_TOP - view.length;
  for (let at = start; at < view.length;) {
    const jump = jumpAt(view, at, base);
    if (jump !== undefined) return jump;
    const length = plainLength(view, at);
    if (length === 0) return undefined;
    at += length;
  }
  return undefined;
}

/** Length of an instruction that may stand before the jump; 0 for any other. */
function plainLength(view: ByteView, at: number): number {
  const { NOP, CLI, CLD, TWO_BYTE, WBINVD, MOV_FROM_CR, TEST_AL, JZ, JNZ } = RESET_CODE;
  switch (view.u8(at)) {
    case NOP:
    case CLI:
    case CLD:
      return 1;
    case TEST_AL:
    case JZ:
    case JNZ:
      return 2;
    case TWO_BYTE:
      if (!view.holds(at, 2)) return 0;
      return view.u8(at + 1) === WBINVD ? 2 : view.u8(at + 1) === MOV_FROM_CR ? 3 : 0;
    default:
      return 0;
  }
}

function jumpAt(view: ByteView, at: number, base: number): ResetJump | undefined {
  const { JMP_SHORT, JMP_NEAR, JMP_FAR } = RESET_CODE;
  const opcode = view.u8(at);
  if (opcode === JMP_FAR && view.holds(at, 5)) {
    const target = `${hex(view.u16(at + 3), 4).slice(2)}:${hex(view.u16(at + 1), 4).slice(2)}`;
    return { offset: at, text: `far jump to ${target}` };
  }
  if (opcode === JMP_NEAR && view.holds(at, 3)) return near(at, at + 3 + signed(view.u16(at + 1), 16), base);
  if (opcode === JMP_SHORT && view.holds(at, 2)) return near(at, at + 2 + signed(view.u8(at + 1), 8), base);
  return undefined;
}

/** A jump within the last 64 KiB, which IP cannot leave. */
function near(offset: number, target: number, base: number): ResetJump {
  return { offset, text: `jump to ${hex(base + target)}` };
}

function signed(value: number, bits: number): number {
  return value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
}

/** Reads an image. `jump` is what `resetJump` found. */
export function readFirmware(bytes: Uint8Array, jump: ResetJump): FirmwareImage {
  const view = new ByteView(bytes);
  const kind = kindOf(view);
  const facts = once(() => firmwareFacts(view, jump, kind));
  return {
    format: "firmware",
    arch: "i386",
    bytes,
    kind,
    jump,
    summary: `PC firmware${kind === undefined ? "" : ` (${kind})`}, ${bytes.length / 1024} KiB, ${jump.text}`,
    get facts() {
      return facts();
    },
  };
}

/** Whether an image begins with a UEFI firmware volume, as OVMF does. */
export function isFirmwareVolume(bytes: Uint8Array): boolean {
  return new ByteView(bytes).matches(FIRMWARE_VOLUME.OFFSET, FIRMWARE_VOLUME.MAGIC);
}

function kindOf(view: ByteView): string | undefined {
  if (isFirmwareVolume(view.bytes)) return "UEFI firmware volume";
  return NAMES.find(([text]) => find(view.bytes, text) >= 0)?.[1];
}

function find(bytes: Uint8Array, text: string): number {
  const wanted = Uint8Array.from(text, (character) => character.charCodeAt(0));
  for (let at = bytes.indexOf(wanted[0]); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

function firmwareFacts(view: ByteView, jump: ResetJump, kind: string | undefined): Fact[] {
  const vector = view.length - RESET_VECTOR_FROM_END;
  const facts: Fact[] = [
    { name: "load address", value: hex(ADDRESS_TOP - view.length), meaning: "it ends at 4 GiB" },
    {
      name: "reset vector",
      value: hexBytes(view.slice(vector, RESET_VECTOR_FROM_END)),
      offset: vector,
      meaning: "the CPU's first instruction, guest-physical 0xfffffff0",
    },
    { name: "jump", value: jump.text, offset: jump.offset },
  ];
  const date = view.latin1(vector + LAST_PARAGRAPH.DATE, LAST_PARAGRAPH.DATE_SIZE);
  if (BIOS_DATE.test(date)) {
    facts.push(
      { name: "date", value: date, offset: vector + LAST_PARAGRAPH.DATE },
      {
        name: "model",
        value: hex(view.u8(vector + LAST_PARAGRAPH.MODEL), 2),
        offset: vector + LAST_PARAGRAPH.MODEL,
        meaning: "0xfc is a PC/AT",
      },
    );
  }
  if (kind !== undefined) facts.push({ name: "kind", value: kind });
  return facts;
}
