/**
 * The machinery below the test assembler's mnemonics: bytes, labels, fix-ups, prefixes, ModRM and SIB. Knows how
 * an instruction is laid out, not which instructions exist.
 *
 * Specification: Intel SDM vol. 2A, §2.1 (legacy prefixes, ModRM, SIB), §2.2.1 (REX); tables 2-1 to 2-3.
 *
 * ```
 *  legacy prefixes │ REX │ opcode │ ModRM │ SIB │ displacement │ immediate
 * ```
 */
import type { Gpr, Immediate, LabelReference, Memory, OtherRegister } from "./operands.js";

/** Code size of the segment the bytes run in. */
export type Mode = 16 | 32 | 64;

/** A piece of the program at a fixed address. */
export interface Chunk {
  address: number;
  bytes: Uint8Array;
}

interface Fixup {
  chunk: number;
  offset: number;
  bytes: 1 | 2 | 4 | 8;
  label: string;
  addend: number;
  /** Relative to this offset in the chunk (the end of the instruction); absent for an absolute address. */
  relativeTo?: number;
}

/** What `encode` needs to know of one instruction. */
export interface Encoding {
  opcode: readonly number[];
  /** Operand size that chooses 0x66 and REX.W; absent when the opcode has one size only. */
  size?: 8 | 16 | 32 | 64;
  /** True where 64 bits are the default in 64-bit code, so that REX.W is not needed (PUSH, CALL …). */
  default64?: boolean;
  /** Mandatory prefix of an SSE-like opcode. */
  mandatory?: 0x66 | 0xf2 | 0xf3;
  /** ModRM.reg: a register or an opcode extension. */
  reg?: Gpr | OtherRegister | number;
  rm?: Gpr | OtherRegister | Memory;
  /** A register in the low three bits of the last opcode byte. */
  opcodeRegister?: Gpr;
  immediate?: { value: Immediate; bytes: 1 | 2 | 4 | 8 };
}

const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const PREFIX_OPERAND_SIZE = 0x66;
const PREFIX_ADDRESS_SIZE = 0x67;
const REX = 0x40;
const REX_W = 8;
const REX_R = 4;
const REX_X = 2;
const REX_B = 1;
const RM_SIB = 4;
const RM_DISP32 = 5;
const BP_CODE = 5;
const SP_CODE = 4;

interface OpenChunk {
  address: number;
  bytes: number[];
}

export class AsmError extends Error {
  override name = "AsmError";
}

const isGpr = (o: Encoding["reg"] | Encoding["rm"]): o is Gpr => typeof o === "object" && o.kind === "gpr";

/** Emits bytes into chunks and resolves labels when linked. */
export class Encoder {
  mode: Mode;
  private readonly chunks: OpenChunk[];
  private readonly labels = new Map<string, number>();
  private readonly fixups: Fixup[] = [];
  private unique = 0;

  /** @param address where the first byte will run and be loaded. */
  constructor(address: number, mode: Mode) {
    this.mode = mode;
    this.chunks = [{ address, bytes: [] }];
  }

  /** Tells the assembler what code size follows. */
  bits(mode: Mode): this {
    this.mode = mode;
    return this;
  }

  /** Continues at another address, as a new chunk. */
  org(address: number): this {
    this.chunks.push({ address, bytes: [] });
    return this;
  }

  /** Address of the next byte. */
  get here(): number {
    const chunk = this.current;
    return chunk.address + chunk.bytes.length;
  }

  label(name: string): this {
    if (this.labels.has(name)) throw new AsmError(`label ${name} is defined twice`);
    this.labels.set(name, this.here);
    return this;
  }

  /** A name no other label has. */
  fresh(stem: string): string {
    return `${stem}$${this.unique++}`;
  }

  db(...values: number[]): this {
    this.current.bytes.push(...values.map((v) => v & 0xff));
    return this;
  }

  bytes(values: Uint8Array): this {
    for (const v of values) this.current.bytes.push(v);
    return this;
  }

  dw(...values: Immediate[]): this {
    for (const v of values) this.value(v, 2);
    return this;
  }

  dd(...values: Immediate[]): this {
    for (const v of values) this.value(v, 4);
    return this;
  }

  dq(...values: Immediate[]): this {
    for (const v of values) this.value(v, 8);
    return this;
  }

  /** Pads with `filler` to a multiple of `alignment` bytes. */
  align(alignment: number, filler = 0x90): this {
    while (this.here % alignment !== 0) this.db(filler);
    return this;
  }

  /** Pads with `filler` until `address`. */
  padTo(address: number, filler = 0x90): this {
    if (this.here > address)
      throw new AsmError(`0x${this.here.toString(16)} is past 0x${address.toString(16)}`);
    while (this.here < address) this.db(filler);
    return this;
  }

  /** Resolves labels and returns the program. */
  link(): Chunk[] {
    for (const fixup of this.fixups) this.resolve(fixup);
    this.fixups.length = 0;
    return this.chunks
      .filter((c) => c.bytes.length > 0)
      .map((c) => ({ address: c.address, bytes: Uint8Array.from(c.bytes) }));
  }

  /** Address of a label, once it is defined. */
  address(label: string): number {
    const found = this.labels.get(label);
    if (found === undefined) throw new AsmError(`label ${label} is not defined`);
    return found;
  }

  /** Emits a branch displacement of `bytes` to a label or an absolute address. */
  protected relative(target: string | number, bytes: 1 | 2 | 4): void {
    const end = this.current.bytes.length + bytes;
    if (typeof target === "string") {
      this.fixups.push({ ...this.place(bytes), label: target, addend: 0, relativeTo: end });
      this.raw(0n, bytes);
    } else {
      this.raw(signedIn(BigInt(target - (this.current.address + end)), bytes, "branch"), bytes);
    }
  }

  protected value(value: Immediate, bytes: 1 | 2 | 4 | 8): void {
    if (typeof value === "object") {
      this.fixups.push({ ...this.place(bytes), label: value.label, addend: value.addend });
      this.raw(0n, bytes);
    } else {
      this.raw(eitherIn(BigInt(value), bytes), bytes);
    }
  }

  /** Emits one instruction in the layout drawn above. */
  protected encode(e: Encoding): this {
    this.prefixes(e);
    this.rex(e);
    const opcode = [...e.opcode];
    if (e.opcodeRegister) opcode[opcode.length - 1] |= e.opcodeRegister.code & 7;
    this.db(...opcode);
    const trailing = e.immediate?.bytes ?? 0;
    if (e.rm) {
      const reg = typeof e.reg === "object" ? e.reg.code & 7 : (e.reg ?? 0);
      if (e.rm.kind === "memory") this.memoryOperand(reg, e.rm, trailing);
      else this.db(0xc0 | (reg << 3) | (e.rm.code & 7));
    }
    if (e.immediate) this.value(e.immediate.value, e.immediate.bytes);
    return this;
  }

  private prefixes(e: Encoding): void {
    const m = e.rm?.kind === "memory" ? e.rm : undefined;
    if (m?.segment) this.db(SEGMENT_PREFIX[m.segment.code]);
    if (m && this.addressSize(m) !== this.mode) this.db(PREFIX_ADDRESS_SIZE);
    if (this.needsOperandPrefix(e)) this.db(PREFIX_OPERAND_SIZE);
    if (e.mandatory) this.db(e.mandatory);
  }

  private needsOperandPrefix(e: Encoding): boolean {
    if (e.size === undefined || e.size === 8) return false;
    if (e.size === 64) return false;
    return this.mode === 16 ? e.size === 32 : e.size === 16;
  }

  private rex(e: Encoding): void {
    let rex = 0;
    const registers = [e.reg, e.rm, e.opcodeRegister].filter(isGpr);
    if (e.size === 64 && !e.default64) rex |= REX | REX_W;
    if (registers.some((r) => r.size === 8 && r.rex)) rex |= REX;
    if (typeof e.reg === "object" && e.reg.code >= 8) rex |= REX | REX_R;
    if (e.opcodeRegister && e.opcodeRegister.code >= 8) rex |= REX | REX_B;
    if (e.rm?.kind === "memory") {
      if (e.rm.base && e.rm.base.code >= 8) rex |= REX | REX_B;
      if (e.rm.index && e.rm.index.code >= 8) rex |= REX | REX_X;
    } else if (e.rm && e.rm.code >= 8) rex |= REX | REX_B;
    if (rex === 0) return;
    if (this.mode !== 64) throw new AsmError("this operand needs REX, which only 64-bit code has");
    if (registers.some((r) => r.high)) throw new AsmError("AH, CH, DH, BH cannot be encoded with REX");
    this.db(rex);
  }

  private addressSize(m: Memory): Mode {
    const size = m.base?.size ?? m.index?.size ?? this.mode;
    if (size === 8) throw new AsmError("a byte register cannot be part of an address");
    return size;
  }

  private memoryOperand(reg: number, m: Memory, trailing: number): void {
    if (this.addressSize(m) === 16) this.memory16(reg, m);
    else if (m.label !== undefined && this.mode === 64) this.ripRelative(reg, m, trailing);
    else this.memory32(reg, m);
  }

  private ripRelative(reg: number, m: Memory, trailing: number): void {
    if (m.base || m.index) throw new AsmError("a label in 64-bit code takes no base or index");
    this.db((reg << 3) | RM_DISP32);
    const relativeTo = this.current.bytes.length + 4 + trailing;
    this.fixups.push({ ...this.place(4), label: m.label!, addend: m.disp, relativeTo });
    this.raw(0n, 4);
  }

  /** SDM vol. 2A table 2-2 and 2-3. */
  private memory32(reg: number, m: Memory): void {
    const absolute = !m.base;
    const needsSib = m.index !== undefined || (absolute ? this.mode === 64 : (m.base!.code & 7) === SP_CODE);
    const small = m.disp >= -128 && m.disp <= 127 && m.label === undefined;
    let mod = small ? 1 : 2;
    if (absolute) mod = 0;
    else if (m.disp === 0 && m.label === undefined && (m.base!.code & 7) !== BP_CODE) mod = 0;
    if (needsSib) {
      if (m.index?.code === SP_CODE) throw new AsmError("RSP cannot be an index");
      const index = m.index ? m.index.code & 7 : RM_SIB;
      const base = absolute ? RM_DISP32 : m.base!.code & 7;
      this.db((mod << 6) | (reg << 3) | RM_SIB, (Math.log2(m.scale) << 6) | (index << 3) | base);
    } else {
      this.db((mod << 6) | (reg << 3) | (absolute ? RM_DISP32 : m.base!.code & 7));
    }
    if (this.mode === 64) signedIn(BigInt(m.disp), 4, "displacement");
    if (absolute || mod === 2) this.value(this.displacement(m), 4);
    else if (mod === 1) this.db(m.disp);
  }

  /** SDM vol. 2A table 2-1. */
  private memory16(reg: number, m: Memory): void {
    const key = [m.base?.name, m.index?.name].filter((n) => n !== undefined).join("+");
    const rm = ["bx+si", "bx+di", "bp+si", "bp+di", "si", "di", "bp", "bx"].indexOf(key);
    if (key === "") {
      this.db((reg << 3) | 6);
      this.value(this.displacement(m), 2);
      return;
    }
    if (rm < 0) throw new AsmError(`[${key}] is no 16-bit address`);
    const small = m.disp >= -128 && m.disp <= 127 && m.label === undefined;
    const mod = m.disp === 0 && m.label === undefined && key !== "bp" ? 0 : small ? 1 : 2;
    this.db((mod << 6) | (reg << 3) | rm);
    if (mod === 2) this.value(this.displacement(m), 2);
    else if (mod === 1) this.db(m.disp);
  }

  private displacement(m: Memory): number | LabelReference {
    return m.label === undefined ? m.disp : { kind: "label", label: m.label, addend: m.disp };
  }

  private get current(): OpenChunk {
    return this.chunks[this.chunks.length - 1];
  }

  private place(bytes: 1 | 2 | 4 | 8): { chunk: number; offset: number; bytes: 1 | 2 | 4 | 8 } {
    return { chunk: this.chunks.length - 1, offset: this.current.bytes.length, bytes };
  }

  private raw(value: bigint, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.current.bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
  }

  private resolve(f: Fixup): void {
    const chunk = this.chunks[f.chunk];
    let value = BigInt(this.address(f.label) + f.addend);
    if (f.relativeTo === undefined) value = eitherIn(value, f.bytes);
    else value = signedIn(value - BigInt(chunk.address + f.relativeTo), f.bytes, f.label);
    for (let i = 0; i < f.bytes; i++) chunk.bytes[f.offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

function signedIn(value: bigint, bytes: number, what: string): bigint {
  if (BigInt.asIntN(8 * bytes, value) !== value)
    throw new AsmError(`${what}: ${value} does not fit ${bytes} bytes`);
  return value;
}

/** Accepts both the signed and the unsigned reading of a value. */
function eitherIn(value: bigint, bytes: number): bigint {
  const bits = 8 * bytes;
  if (BigInt.asIntN(bits, value) === value || BigInt.asUintN(bits, value) === value) return value;
  throw new AsmError(`0x${value.toString(16)} does not fit ${bytes} bytes`);
}
