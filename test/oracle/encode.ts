/**
 * Encodes a random instance of a line of the engine's table: prefixes, registers, addressing, immediates; and sets
 * the registers that a memory operand is made of so that it lies where the case wants it.
 *
 * Specification: SDM vol. 2A §2.1–2.3 (instruction format, REX, VEX).
 */
import { VEX_MAP } from "../../src/engine/x86/table/form.js";
import { formsOf } from "../../src/engine/x86/table/forms.js";
import type { Form as TableForm, OperandSpec } from "../../src/engine/x86/table/form.js";
import { RSP } from "./case.js";
import type { Case } from "./case.js";
import { DS, NOWHERE32, SS } from "./layout.js";

/** One way a line of the table is tried. */
export interface Variant {
  readonly line: TableForm;
  /** Operand size, bytes; 0 where the line has none. */
  readonly size: 0 | 2 | 4 | 8;
  /** Whether ModRM.rm (or a moffs) names memory. */
  readonly memory: boolean;
}

/** What a preparation knows of the instruction; it may also change it. */
export interface Choices {
  reg: number;
  rm: number;
  vvvv: number;
  /** General registers that no memory operand may be made of, because their value matters. */
  readonly reserved: Set<number>;
  /** Bytes of the memory operand, and whether it wants alignment. */
  accessBytes: number;
  aligned: boolean;
  /** Added to the address of the memory operand by the instruction itself (bit strings). */
  offset?: () => bigint;
  /** The linear address the memory operand must have; chosen by the case when absent. */
  target?: bigint;
  /** Immediate operands by position, where they are not random. */
  readonly immediates: (number | bigint | undefined)[];
  /** Whether prefixes without a meaning may be added. */
  plain: boolean;
  /** Segment override for an operand that ModRM does not name. */
  override?: number;
  /** Whether the address-size prefix is wanted, where ModRM names no memory. */
  otherAddressSize?: boolean;
  /** LOCK or REP prefix wanted. */
  prefix?: number;
}

const PREFIX = { OPERAND: 0x66, ADDRESS: 0x67, LOCK: 0xf0, REPNE: 0xf2, REP: 0xf3 } as const;
const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const MANDATORY: Record<string, number> = { 66: 0x66, F2: 0xf2, F3: 0xf3 };
const ESCAPES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const VEX_PP: Record<string, number> = { NP: 0, "": 0, 66: 1, F3: 2, F2: 3 };
const FIXED_BYTES: Record<string, number> = { b: 1, w: 2, d: 4, q: 8, x: 16, a: 16, u: 1, "2": 1 };
/** Bytes of `M` operands that carry no size letter. */
const AREA_BYTES: Record<string, number> = { fxsave: 512, fxrstor: 512, xsave: 576, xrstor: 576, xsaveopt: 576, xsavec: 576,
  sgdt: 10, sidt: 10, lgdt: 10, lidt: 10, invlpg: 1, lea: 1, invpcid: 16 }; // prettier-ignore
const AREA_ALIGNED = new Set(["fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec"]);
/** Bytes of an absolute address by code size, without and with the address-size prefix. */
const OFFSET_BYTES: Record<number, readonly number[]> = { 64: [8, 4], 32: [4, 2], 16: [2, 4] };
const [RBX, RBP, RSI, RDI] = [3, 5, 6, 7];
const NO_BASE = -1;
const RIP_BASE = -2;

export function operandBytes(spec: OperandSpec, size: number): number {
  if (spec.size === "v") return size;
  if (spec.size === "z") return Math.min(size, 4);
  if (spec.size === "y") return size === 8 ? 8 : 4;
  if (spec.size === "p") return size + 2;
  return FIXED_BYTES[spec.size] ?? size;
}

const isMemoryOperand = (o: OperandSpec): boolean => ["E", "M", "W", "Q", "O"].includes(o.kind);

export function choose(c: Case, v: Variant): Choices {
  const { line } = v;
  const registers = c.mode === 64 ? 16 : 8;
  const spec = line.operands.find(isMemoryOperand);
  return {
    reg: line.extension >= 0 ? line.extension : c.random.below(registers),
    rm: c.random.below(registers),
    vvvv: c.random.below(registers),
    reserved: new Set(),
    accessBytes: (spec && spec.size !== "" ? operandBytes(spec, v.size) : AREA_BYTES[line.mnemonic]) || 1,
    aligned: spec?.size === "a" || AREA_ALIGNED.has(line.mnemonic),
    immediates: [],
    plain: !c.random.once(8),
  };
}

class Encoding {
  readonly prefixes: number[] = [];
  rex = 0;
  /** ModRM and what follows it up to the displacement. */
  readonly operand: number[] = [];
  displacementAt = -1;
  displacement = 0n;

  constructor(
    readonly c: Case,
    readonly v: Variant,
    readonly with_: Choices,
  ) {}
}

/** Whether 66, F2 and F3 in front of this line's opcode mean another line or instruction. */
function prefixesMatter(line: TableForm): boolean {
  return (
    line.map !== 0 ||
    line.prefix !== "" ||
    formsOf((line.map << 8) | line.opcode).some((f) => f.prefix !== "")
  );
}

function sizePrefixes(e: Encoding): void {
  const { line, size } = e.v;
  const long = e.c.mode === 64;
  const natural = long && (line.default64 || line.force64) ? 8 : e.c.mode === 16 ? 2 : 4;
  if (line.sizing === "v" && (size < natural ? size === 2 : size === 4 && natural === 2))
    e.prefixes.push(PREFIX.OPERAND);
  if (size === 8 && long && natural === 4) e.rex |= 0x48;
  if (e.with_.plain || prefixesMatter(line)) return;
  const { random } = e.c;
  if (size === 8 && natural === 4 && random.once(2)) e.prefixes.push(PREFIX.OPERAND);
  if (size === 0 && random.once(2)) e.prefixes.push(PREFIX.OPERAND);
  if (long && (size === 0 || natural === 8) && size !== 2 && random.once(2)) e.rex |= 0x48;
}

/** A segment override, maybe, and the base that the operand's address is added to. */
function segment(e: Encoding, usual: number): bigint {
  const { random } = e.c;
  if (!random.once(e.c.form.segmented ? 2 : 6)) return e.c.segmentBase(usual);
  const which = random.below(SEGMENTS.length);
  e.prefixes.push(SEGMENTS[which]);
  return e.c.segmentBase(which);
}

function pickIndex(e: Encoding, base: number): number {
  const { random, mode } = e.c;
  const registers = mode === 64 ? 16 : 8;
  for (;;) {
    const index = random.below(registers);
    if (index !== RSP && index !== base) return index;
  }
}

function pickBase(e: Encoding): number {
  const { random, mode } = e.c;
  const choice = random.below(10);
  if (choice === 0) return NO_BASE;
  if (choice === 1 && mode === 64) return RIP_BASE;
  for (;;) {
    const base = random.below(mode === 64 ? 16 : 8);
    if (!e.with_.reserved.has(base)) return base;
  }
}

function displacementOf(e: Encoding, base: number): { mod: number; value: bigint } {
  const { random } = e.c;
  if (base === NO_BASE || base === RIP_BASE) return { mod: 0, value: 0n };
  const mod = random.below(3);
  if (mod === 0 && (base & 7) !== 5) return { mod, value: 0n };
  if (mod === 2) return { mod, value: BigInt(random.u32() | 0) };
  return { mod: 1, value: BigInt(random.below(256) - 128) };
}

/** ModRM, SIB and displacement of a memory operand at the target, and the base register's value. */
function memoryOperand(e: Encoding, reg: number): void {
  const { c, with_ } = e;
  const other = c.random.once(8);
  if (other) e.prefixes.push(PREFIX.ADDRESS);
  if (c.mode === (other ? 32 : 16)) return memory16(e, reg);
  const bits = c.mode === 64 && !other ? 64 : 32;
  const wanted = with_.target ?? c.target(with_.accessBytes, with_.aligned);
  // Cut to 32 bits, an address of nowhere might be one of the harness.
  const linear = bits === 32 && wanted >> 32n !== 0n ? BigInt(NOWHERE32) : wanted;
  const base = pickBase(e);
  const segmentBase = segment(e, base === RSP || base === RBP ? SS : DS);
  const index = base !== RIP_BASE && c.random.once(2) ? pickIndex(e, base) : NO_BASE;
  const scale = c.random.below(4);
  const { mod, value } = displacementOf(e, base);
  let effective = linear - segmentBase - (with_.offset?.() ?? 0n) - value;
  if (index >= 0) effective -= c.register(index) << BigInt(scale);
  emitAddress(e, reg, mod, base, index, scale);
  if (base >= 0) {
    const high = bits === 32 && c.mode === 64 ? c.random.u64() << 32n : 0n;
    c.setRegister(base, BigInt.asUintN(bits, effective) | high);
    e.displacement = value;
  } else e.displacement = effective;
}

function emitAddress(
  e: Encoding,
  reg: number,
  mod: number,
  base: number,
  index: number,
  scale: number,
): void {
  const out = e.operand;
  if (index >= 8) e.rex |= 0x42;
  if (base >= 8) e.rex |= 0x41;
  const sib =
    index >= 0 ||
    (base & 7) === 4 ||
    (base === NO_BASE && e.c.mode === 64) ||
    (base === NO_BASE && e.c.random.once(2));
  if (base === RIP_BASE) out.push((reg << 3) | 5);
  else if (!sib) out.push((mod << 6) | (reg << 3) | (base === NO_BASE ? 5 : base & 7));
  else
    out.push(
      (mod << 6) | (reg << 3) | 4,
      (scale << 6) | ((index < 0 ? 4 : index & 7) << 3) | (base === NO_BASE ? 5 : base & 7),
    );
  e.displacementAt = out.length;
  if (base < 0 || mod === 2) out.push(0, 0, 0, 0);
  else if (mod === 1) out.push(0);
  if (base === RIP_BASE) e.rex |= 0x100;
}

/** The registers of 16-bit addressing by ModRM.rm, SDM vol. 2A table 2-1. */
const PAIRS: readonly (readonly number[])[] = [[RBX, RSI], [RBX, RDI], [RBP, RSI], [RBP, RDI], [RSI], [RDI], [RBP], [RBX]]; // prettier-ignore

/** 16-bit addressing: one register is set so that the target is reached, where the segment begins near it. */
function memory16(e: Encoding, reg: number): void {
  const { c, with_ } = e;
  const mod = c.random.below(3);
  const rm = c.random.below(8);
  const absolute = mod === 0 && rm === 6;
  const registers = absolute ? [] : PAIRS[rm];
  const base = segment(e, registers.includes(RBP) ? SS : DS);
  let rest = (with_.target ?? c.target(with_.accessBytes, with_.aligned)) - base - (with_.offset?.() ?? 0n);
  const bytes = absolute ? 2 : mod;
  const displacement = absolute ? Number(rest & 0xffffn) : c.random.below(0x10000);
  rest -= bytes === 1 ? BigInt((displacement << 24) >> 24) : bytes === 2 ? BigInt(displacement) : 0n;
  const free = registers.find((r) => !with_.reserved.has(r));
  for (const r of registers) if (r !== free) rest -= c.register(r);
  if (free !== undefined) c.setRegister(free, (c.register(free) & 0xffff0000n) | (rest & 0xffffn));
  e.operand.push((mod << 6) | (reg << 3) | rm);
  for (let i = 0; i < bytes; i++) e.operand.push((displacement >> (8 * i)) & 0xff);
}

/** Bytes of an immediate operand. */
function immediateBytes(spec: OperandSpec, size: number): number {
  return spec.kind === "I" || spec.kind === "J" ? operandBytes(spec, size || 4) : 0;
}

function prefixes(e: Encoding): void {
  const { line, memory } = e.v;
  const { random } = e.c;
  const with_ = e.with_;
  if (with_.override !== undefined) e.prefixes.push(SEGMENTS[with_.override]);
  if (with_.otherAddressSize) e.prefixes.push(PREFIX.ADDRESS);
  if (with_.prefix !== undefined) e.prefixes.push(with_.prefix);
  else if (line.lock && memory ? random.once(4) : random.once(100)) e.prefixes.push(PREFIX.LOCK);
  if (
    !with_.plain &&
    with_.prefix === undefined &&
    !prefixesMatter(line) &&
    random.once(3) &&
    line.opcode !== 0x90
  )
    e.prefixes.push(random.once(2) ? PREFIX.REP : PREFIX.REPNE);
  for (let i = e.prefixes.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [e.prefixes[i], e.prefixes[j]] = [e.prefixes[j], e.prefixes[i]];
  }
}

/** Registers of ModRM or the opcode, as REX bits and three-bit fields. */
function registerBits(e: Encoding): { reg: number; rm: number } {
  const { line, memory } = e.v;
  const { reg, rm } = e.with_;
  if (line.hasModrm && line.extension < 0 && reg >= 8) e.rex |= 0x44;
  if (!memory && rm >= 8) e.rex |= 0x41;
  if (e.c.mode === 64 && e.rex === 0 && e.c.random.once(4)) e.rex = 0x40;
  return { reg: reg & 7, rm: rm & 7 };
}

function emitOpcode(e: Encoding, rm: number): void {
  const { line } = e.v;
  const { code } = e.c;
  const inOpcode = line.operands.some((o) => o.kind === "Z");
  if (line.map >= VEX_MAP) {
    const low = e.rex & 15;
    const inverted = (~low & 7) << 5;
    const w = e.v.size === 8 ? 0x80 : 0;
    const named = line.operands.some((o) => o.kind === "B");
    const vvvv = named ? e.with_.vvvv : 0;
    code.push(
      0xc4,
      inverted | (line.map - VEX_MAP),
      w | ((~vvvv & 15) << 3) | VEX_PP[line.prefix],
      line.opcode,
    );
    return;
  }
  if (MANDATORY[line.prefix] !== undefined) code.push(MANDATORY[line.prefix]);
  if ((e.rex & 0xff) !== 0) code.push(e.rex & 0xff);
  code.push(...ESCAPES[line.map], inOpcode ? (line.opcode & 0xf8) | rm : line.opcode);
}

function emitImmediates(e: Encoding): void {
  const { line, size } = e.v;
  line.operands.forEach((spec, i) => {
    const bytes = immediateBytes(spec, size);
    if (bytes === 0) return;
    let value = BigInt(e.with_.immediates[i] ?? e.c.random.u64());
    for (let b = 0; b < bytes; b++, value >>= 8n) e.c.code.push(Number(value & 0xffn));
  });
}

/** An absolute address as the A0–A3 forms have it. */
function moffs(e: Encoding): void {
  const { c, with_ } = e;
  const other = c.random.once(8);
  if (other) e.prefixes.push(PREFIX.ADDRESS);
  const bytes = OFFSET_BYTES[c.mode][Number(other)];
  const base = segment(e, DS);
  let value = BigInt.asUintN(8 * bytes, c.target(with_.accessBytes) - base);
  for (let i = 0; i < bytes; i++, value >>= 8n) e.operand.push(Number(value & 0xffn));
}

/** Appends the instruction to the case's code. */
export function encode(c: Case, v: Variant, with_: Choices): void {
  const e = new Encoding(c, v, with_);
  const { line } = v;
  sizePrefixes(e);
  const { reg, rm } = registerBits(e);
  if (line.modrmByte >= 0) e.operand.push(line.modrmByte);
  else if (line.operands.some((o) => o.kind === "O")) moffs(e);
  else if (line.hasModrm && v.memory) memoryOperand(e, reg);
  else if (line.hasModrm) e.operand.push(0xc0 | (reg << 3) | rm);
  prefixes(e);
  c.code.push(...e.prefixes);
  emitOpcode(e, rm);
  const operandAt = c.code.length;
  c.code.push(...e.operand);
  emitImmediates(e);
  if (e.displacementAt < 0) return;
  const at = operandAt + e.displacementAt;
  const bytes = e.operand.length - e.displacementAt;
  const patch = (value: bigint): void => {
    let rest = value;
    for (let i = 0; i < bytes; i++, rest >>= 8n) c.code[at + i] = Number(rest & 0xffn);
  };
  if (e.rex & 0x100) c.whenEndIsKnown.push((end) => patch(e.displacement - BigInt(end)));
  else patch(e.displacement);
}
