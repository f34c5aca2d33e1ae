/**
 * x86 instructions as text, for people who look at a few of them: the decoder's own fields, in Intel's order of operands. Not every
 * spelling is an assembler's.
 */
import type { Decoder } from "../../engine/x86/decode.js";
import { NO_REGISTER, REGISTER_RIP, type Instruction } from "../../engine/x86/instruction.js";
import type { OperandSpec } from "../../engine/x86/table/form.js";
import { hex } from "../../bytes/hex.js";
import { SEGMENT_NAMES } from "../../x86/cpu-state.js";

/** One instruction as it stands in memory. */
export interface InstructionText {
  address: bigint;
  length: number;
  text: string;
  /** Where a jump or a call with an address of its own leads. */
  target?: bigint;
}

const BYTE_LOW = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const BYTE_HIGH = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const WORD = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const WIDTHS: Readonly<Record<number, string>> = { 1: "byte", 2: "word", 4: "dword", 8: "qword" };
const FIXED_SIZES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8, u: 1 };
const MNEMONIC_TAIL = /_(imm|mem|near|dx|seg|absolute|wide|signed)\b|(?<=^i?mul)\d$|_(from|to)_\w+/g;
/** The mnemonics of the table that are not written as it names them. */
const SPELLED: Readonly<Record<string, string>> = {
  far_call: "call far",
  far_jmp: "jmp far",
  far_ret: "retf",
};

/** The bit of an opcode that says that its operand is wider than a byte. */
const WIDE = 1;

function register(number: number, size: number, rex: number): string {
  if (number < 8) {
    if (size === 1) return (rex === 0 ? BYTE_HIGH : BYTE_LOW)[number];
    const word = WORD[number];
    return size === 2 ? word : `${size === 8 ? "r" : "e"}${word}`;
  }
  return `r${number}${size === 8 ? "" : size === 4 ? "d" : size === 2 ? "w" : "b"}`;
}

/** Bytes of an operand. */
function sizeOf({ size }: OperandSpec, i: Instruction): number {
  if (size in FIXED_SIZES) return FIXED_SIZES[size];
  if (size === "z") return Math.min(i.operandSize, 4);
  if (size === "v" || size === "y") return i.operandSize;
  return 0;
}

/** What memory an instruction names: `[rax+rcx*4+0x10]`. */
function memoryText(i: Instruction, next: bigint): string {
  const parts: string[] = [];
  if (i.absolute) parts.push(hex(BigInt.asUintN(i.addressSize * 8, immediate(i))));
  else if (i.base === REGISTER_RIP) parts.push(hex(BigInt.asUintN(64, next + BigInt(i.displacement))));
  else {
    if (i.base !== NO_REGISTER) parts.push(register(i.base, i.addressSize, 1));
    if (i.index !== NO_REGISTER)
      parts.push(`${register(i.index, i.addressSize, 1)}${i.scale === 0 ? "" : `*${2 ** i.scale}`}`);
    if (parts.length === 0) parts.push(hex(BigInt.asUintN(i.addressSize * 8, BigInt(i.displacement))));
    else if (i.displacement !== 0) parts.push(hex(i.displacement));
  }
  const segment = i.segmentOverride < 0 ? "" : `${SEGMENT_NAMES[i.segmentOverride]}:`;
  return `${segment}[${parts.join("+").replaceAll("+-", "-")}]`;
}

function immediate({ immediateLow, immediateHigh }: Instruction): bigint {
  return (BigInt(immediateHigh) << 32n) | BigInt(immediateLow >>> 0);
}

function vector(kind: string, number: number): string {
  return `${kind === "P" || kind === "Q" || kind === "N" ? "mm" : "xmm"}${number}`;
}

function operandText(spec: OperandSpec, i: Instruction, next: bigint): string {
  const size = sizeOf(spec, i);
  const { kind } = spec;
  switch (kind) {
    case "E":
    case "W":
    case "Q":
    case "M":
      if (i.isMemory) return `${size in WIDTHS ? `${WIDTHS[size]} ` : ""}${memoryText(i, next)}`;
      return kind === "E" ? register(i.rm, size || i.operandSize, i.rex) : vector(kind, i.rm);
    case "O":
      return memoryText({ ...i, absolute: true }, next);
    case "G":
      return register(i.reg, size, i.rex);
    case "R":
    case "Z":
      return register(i.rm, size, i.rex);
    case "V":
    case "P":
      return vector(kind, i.reg);
    case "C":
      return `cr${i.reg}`;
    case "D":
      return `dr${i.reg}`;
    case "S":
      return SEGMENT_NAMES[/^\d$/.test(spec.size) ? Number(spec.size) : i.reg] ?? "seg";
    case "I":
      return spec.size === "2" ? String(i.immediate2) : hex(BigInt.asUintN((size || 4) * 8, immediate(i)));
    case "J":
      return hex(jumpTarget(i, next));
    case "A":
      return `${hex(i.immediate2)}:${hex(i.immediateLow >>> 0)}`;
    case "rAX":
      return register(0, i.operandSize, i.rex);
    case "AL":
    case "CL":
      return kind.toLowerCase();
    default:
      return kind;
  }
}

function jumpTarget(i: Instruction, next: bigint): bigint {
  return BigInt.asUintN(i.addressSize === 8 ? 64 : 32, next + immediate(i));
}

/** The instruction that begins at `offset` of `bytes`, which lie at `address`; undefined where it does not end in them. */
export function instructionAt(
  decoder: Decoder,
  bytes: Uint8Array,
  offset: number,
  address: bigint,
  codeSize: 2 | 4 | 8,
): (InstructionText & { instruction: Instruction }) | undefined {
  const length = decoder.decode(bytes, offset, bytes.length, codeSize);
  if (length <= 0) return undefined;
  const i = { ...decoder.instruction };
  const next = address + BigInt(length);
  const name = i.form.mnemonic.replace(MNEMONIC_TAIL, "");
  const operands = i.form.operands.map((spec) => operandText(spec, i, next));
  const prefix = (i.lock ? "lock " : "") + (i.repeat !== 0 && i.form.rep ? "rep " : "");
  const ports = /^(in|out)_dx$/.exec(i.form.mnemonic);
  if (ports !== null) {
    const value = register(0, (i.form.opcode & WIDE) === 0 ? 1 : Math.min(i.operandSize, 4), 0);
    operands.splice(0, operands.length, ...(ports[1] === "in" ? [value, "dx"] : ["dx", value]));
  }
  const text = `${prefix}${SPELLED[name] ?? name}${operands.length > 0 ? ` ${operands.join(", ")}` : ""}`;
  const jumps = i.form.operands.some(({ kind }) => kind === "J");
  return {
    address,
    length,
    text,
    instruction: i,
    ...(jumps && { target: jumpTarget(i, next) }),
  };
}
