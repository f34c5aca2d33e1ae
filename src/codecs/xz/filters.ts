/**
 * The filters that .xz puts before LZMA2, undone in place: branch conversion for x86 and 32-bit ARM, and delta. Sources: .xz file
 * format 1.2.1 §5.3.2, §5.3.3; the conversion itself as liblzma defines it. Knows no stream.
 *
 * x86: the encoder replaced the relative operand of CALL (e8) and JMP (e9) by the absolute target, when its top
 * byte is 00 or ff. Bytes before the opcode that could themselves be opcodes confuse it in a defined way, which
 * has to be followed exactly.
 *
 * ARM: the same for BL (condition "always", top byte eb) of ARM code and for the two halves of BL (f000 f800) of Thumb
 * code; their operands count in units of 4 and 2 bytes from two instructions further on.
 */

const CALL_OR_JMP = 0xe8;
const OPCODE_MASK = 0xfe;
const INSTRUCTION_SIZE = 5;
/** How many bytes back an opcode that was left alone matters: those that overlap the operand. */
const HISTORY_BITS = 3;
const HISTORY_MASK = 2 ** HISTORY_BITS - 1;

/** Whether a byte can be the top of an operand that was converted. */
function isTop(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

/**
 * Which operand byte the nearest earlier opcode's top byte would be, by history (bit n: an opcode stood n + 1
 * bytes back): 3 for one byte back, 2 for two, 1 for three.
 */
const OVERLAP = [0, 1, 2, 2, 3, 3, 3, 3];
/** Histories after which an operand may have been converted: at most one opcode, or two that do not touch. */
const CONVERTIBLE = [true, true, true, false, true, false, false, false];

/**
 * Undoes the x86 filter on bytes[start, end).
 * @param address the address of the first byte (0 as a rule)
 */
export function undoX86(bytes: Uint8Array, start: number, end: number, address: number): void {
  const last = end - INSTRUCTION_SIZE;
  let history = 0;
  let previous = start - 1;
  for (let i = start; ; i++) {
    while (i <= last && (bytes[i] & OPCODE_MASK) !== CALL_OR_JMP) i++;
    if (i > last) return;
    // Each byte passed since the last opcode moves the history on by one; after four nothing is left of it.
    const passed = i - previous - 1;
    history = passed >= HISTORY_BITS ? 0 : (history << passed) & HISTORY_MASK;
    previous = i;
    const overlap = OVERLAP[history];
    const misled = history !== 0 && (!CONVERTIBLE[history] || isTop(bytes[i + 4 - overlap]));
    if (misled || !isTop(bytes[i + 4])) {
      history = ((history << 1) | 1) & HISTORY_MASK;
      continue;
    }
    const next = address + (i - start) + INSTRUCTION_SIZE;
    writeOperand(bytes, i + 1, relative(readOperand(bytes, i + 1), next, history));
    i += INSTRUCTION_SIZE - 1;
    previous = i;
    history = 0;
  }
}

/** The relative operand for an absolute one; an overlapping opcode makes the encoder flip bits until it is sure. */
function relative(absolute: number, next: number, history: number): number {
  const overlapBits = OVERLAP[history] * 8;
  for (let value = absolute; ;) {
    const operand = (value - next) | 0;
    if (history === 0 || !isTop((operand >>> (24 - overlapBits)) & 0xff)) return operand;
    value = operand ^ (2 ** (32 - overlapBits) - 1);
  }
}

function readOperand(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Stores 25 bits, sign-extended: the top byte becomes 00 or ff again. */
function writeOperand(bytes: Uint8Array, at: number, operand: number): void {
  bytes[at] = operand;
  bytes[at + 1] = operand >> 8;
  bytes[at + 2] = operand >> 16;
  bytes[at + 3] = (operand & 0x0100_0000) !== 0 ? 0xff : 0x00;
}

/** Undoes the delta filter on bytes[start, end): each byte is added to that `distance` before it. */
export function undoDelta(bytes: Uint8Array, start: number, end: number, distance: number): void {
  for (let i = start + distance; i < end; i++) bytes[i] += bytes[i - distance];
}

const ARM_BL = 0xeb;
const ARM_UNIT = 4;
const ARM_BIAS = 8;

/** Undoes the ARM filter on bytes[start, end). `address` as in `undoX86`. */
export function undoArm(bytes: Uint8Array, start: number, end: number, address: number): void {
  for (let i = start; i + ARM_UNIT <= end; i += ARM_UNIT) {
    if (bytes[i + 3] !== ARM_BL) continue;
    const target = (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16)) << 2;
    const operand = (target - (address + (i - start) + ARM_BIAS)) >> 2;
    bytes[i] = operand;
    bytes[i + 1] = operand >> 8;
    bytes[i + 2] = operand >> 16;
  }
}

const THUMB_UNIT = 2;
const THUMB_BL_SIZE = 4;
const THUMB_BIAS = 4;
/** Top five bits of the halfwords of BL, and the high three bits of operand beside them. */
const THUMB_OPCODE_MASK = 0xf8;
const THUMB_BL = { FIRST: 0xf0, SECOND: 0xf8 } as const;
const THUMB_HIGH = 7;

/** Undoes the Thumb filter on bytes[start, end). `address` as in `undoX86`. */
export function undoThumb(bytes: Uint8Array, start: number, end: number, address: number): void {
  for (let i = start; i + THUMB_BL_SIZE <= end; i += THUMB_UNIT) {
    if ((bytes[i + 1] & THUMB_OPCODE_MASK) !== THUMB_BL.FIRST) continue;
    if ((bytes[i + 3] & THUMB_OPCODE_MASK) !== THUMB_BL.SECOND) continue;
    const upper = ((bytes[i + 1] & THUMB_HIGH) << 8) | bytes[i];
    const lower = ((bytes[i + 3] & THUMB_HIGH) << 8) | bytes[i + 2];
    const target = ((upper << 11) | lower) << 1;
    const operand = (target - (address + (i - start) + THUMB_BIAS)) >> 1;
    bytes[i + 1] = THUMB_BL.FIRST | ((operand >> 19) & THUMB_HIGH);
    bytes[i] = operand >> 11;
    bytes[i + 3] = THUMB_BL.SECOND | ((operand >> 8) & THUMB_HIGH);
    bytes[i + 2] = operand;
    i += THUMB_UNIT;
  }
}
