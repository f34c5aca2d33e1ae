/**
 * General-purpose instructions of the test assembler (SDM vol. 2), each a method named as the manual names it.
 * Encodings are the ones GNU `as` chooses, so that both can be compared byte by byte.
 */
import { Encoder } from "./encoder.js";
import type { Encoding } from "./encoder.js";
import { AsmError } from "./encoder.js";
import { CONDITIONS } from "./operands.js";
import type { Condition, Gpr, GprSize, Immediate, Memory } from "./operands.js";

export type RegMem = Gpr | Memory;
type Source = RegMem | Immediate;

const isImmediate = (s: Source): s is Immediate =>
  typeof s === "number" || typeof s === "bigint" || s.kind === "label";

const fitsByte = (v: Immediate): boolean =>
  typeof v !== "object" && BigInt.asIntN(8, BigInt(v)) === BigInt(v);

/** Whether an immediate given signed or unsigned can be a sign-extended byte at this operand size. */
function byteAt(v: Immediate, size: GprSize): boolean {
  if (typeof v === "object") return false;
  return fitsByte(BigInt.asIntN(size, BigInt(v)));
}

/** Size of the operand pair, checked. */
export function sizeOf(...operands: Source[]): GprSize {
  const sizes = new Set<number>();
  for (const o of operands) if (!isImmediate(o) && o.size !== 0) sizes.add(o.size);
  const [size] = sizes;
  if (sizes.size !== 1)
    throw new AsmError(`operand sizes do not agree: ${[...sizes].join(", ") || "none given"}`);
  if (size !== 8 && size !== 16 && size !== 32 && size !== 64)
    throw new AsmError(`${size} is no integer size`);
  return size;
}

const immediateBytes = (size: GprSize): 1 | 2 | 4 => (size === 8 ? 1 : size === 16 ? 2 : 4);

/** Immediates of 64-bit forms are 32 bits, sign-extended: an unsigned spelling of a negative is folded. */
const fold = (v: Immediate, size: GprSize): Immediate =>
  typeof v === "object" ? v : BigInt.asIntN(size, BigInt(v));

export class IntegerAssembler extends Encoder {
  add = (d: RegMem, s: Source): this => this.alu(0, d, s);
  or = (d: RegMem, s: Source): this => this.alu(1, d, s);
  adc = (d: RegMem, s: Source): this => this.alu(2, d, s);
  sbb = (d: RegMem, s: Source): this => this.alu(3, d, s);
  and = (d: RegMem, s: Source): this => this.alu(4, d, s);
  sub = (d: RegMem, s: Source): this => this.alu(5, d, s);
  xor = (d: RegMem, s: Source): this => this.alu(6, d, s);
  cmp = (d: RegMem, s: Source): this => this.alu(7, d, s);

  rol = (d: RegMem, count: number | Gpr): this => this.shift(0, d, count);
  ror = (d: RegMem, count: number | Gpr): this => this.shift(1, d, count);
  rcl = (d: RegMem, count: number | Gpr): this => this.shift(2, d, count);
  rcr = (d: RegMem, count: number | Gpr): this => this.shift(3, d, count);
  shl = (d: RegMem, count: number | Gpr): this => this.shift(4, d, count);
  shr = (d: RegMem, count: number | Gpr): this => this.shift(5, d, count);
  sar = (d: RegMem, count: number | Gpr): this => this.shift(7, d, count);

  not = (d: RegMem): this => this.unary([0xf6], 2, d);
  neg = (d: RegMem): this => this.unary([0xf6], 3, d);
  mul = (d: RegMem): this => this.unary([0xf6], 4, d);
  imul1 = (d: RegMem): this => this.unary([0xf6], 5, d);
  div = (d: RegMem): this => this.unary([0xf6], 6, d);
  idiv = (d: RegMem): this => this.unary([0xf6], 7, d);

  bt = (d: RegMem, s: Gpr | number): this => this.bitTest(4, d, s);
  bts = (d: RegMem, s: Gpr | number): this => this.bitTest(5, d, s);
  btr = (d: RegMem, s: Gpr | number): this => this.bitTest(6, d, s);
  btc = (d: RegMem, s: Gpr | number): this => this.bitTest(7, d, s);

  bsf = (d: Gpr, s: RegMem): this => this.extended(0xbc, d, s);
  bsr = (d: Gpr, s: RegMem): this => this.extended(0xbd, d, s);
  tzcnt = (d: Gpr, s: RegMem): this => this.extended(0xbc, d, s, 0xf3);
  popcnt = (d: Gpr, s: RegMem): this => this.extended(0xb8, d, s, 0xf3);
  imul = (d: Gpr, s: RegMem): this => this.extended(0xaf, d, s);
  cmov = (c: Condition, d: Gpr, s: RegMem): this => this.extended(0x40 + CONDITIONS.indexOf(c), d, s);

  mov(d: RegMem, s: Source): this {
    const size = sizeOf(d, s);
    if (!isImmediate(s)) return this.pair(0x88, d, s, size);
    if (d.kind === "memory") {
      const immediate = { value: fold(s, size), bytes: immediateBytes(size) };
      return this.encode({ opcode: [size === 8 ? 0xc6 : 0xc7], size, reg: 0, rm: d, immediate });
    }
    if (size === 64) return this.mov64(d, s);
    const opcode = [size === 8 ? 0xb0 : 0xb8];
    return this.encode({
      opcode,
      size,
      opcodeRegister: d,
      immediate: { value: s, bytes: immediateBytes(size) },
    });
  }

  /** MOV r64, imm64 in full length whatever the value. */
  movabs(d: Gpr, value: Immediate): this {
    return this.encode({ opcode: [0xb8], size: 64, opcodeRegister: d, immediate: { value, bytes: 8 } });
  }

  private mov64(d: Gpr, value: Immediate): this {
    const v = fold(value, 64);
    const short = typeof v === "bigint" && BigInt.asIntN(32, v) === v;
    if (!short) return this.movabs(d, value);
    return this.encode({ opcode: [0xc7], size: 64, reg: 0, rm: d, immediate: { value: v, bytes: 4 } });
  }

  movzx(d: Gpr, s: RegMem): this {
    return this.encode({ opcode: [0x0f, s.size === 8 ? 0xb6 : 0xb7], size: d.size, reg: d, rm: s });
  }

  movsx(d: Gpr, s: RegMem): this {
    return this.encode({ opcode: [0x0f, s.size === 8 ? 0xbe : 0xbf], size: d.size, reg: d, rm: s });
  }

  movsxd(d: Gpr, s: RegMem): this {
    return this.encode({ opcode: [0x63], size: d.size, reg: d, rm: s });
  }

  lea(d: Gpr, m: Memory): this {
    return this.encode({ opcode: [0x8d], size: d.size, reg: d, rm: m });
  }

  xchg(d: RegMem, s: Gpr): this {
    return this.sized(0x86, d, s);
  }

  test(d: RegMem, s: Gpr | Immediate): this {
    const size = sizeOf(d, s);
    if (!isImmediate(s)) return this.sized(0x84, d, s);
    const immediate = { value: fold(s, size), bytes: immediateBytes(size) };
    if (d.kind === "gpr" && d.code === 0 && !d.high) {
      return this.encode({ opcode: [size === 8 ? 0xa8 : 0xa9], size, immediate });
    }
    return this.encode({ opcode: [size === 8 ? 0xf6 : 0xf7], size, reg: 0, rm: d, immediate });
  }

  inc(d: RegMem): this {
    return this.step(0, 0x40, d);
  }

  dec(d: RegMem): this {
    return this.step(1, 0x48, d);
  }

  imul3(d: Gpr, s: RegMem, value: number): this {
    const short = byteAt(value, d.size);
    const immediate = { value: fold(value, d.size), bytes: short ? (1 as const) : immediateBytes(d.size) };
    return this.encode({ opcode: [short ? 0x6b : 0x69], size: d.size, reg: d, rm: s, immediate });
  }

  xadd(d: RegMem, s: Gpr): this {
    return this.encode({ opcode: [0x0f, s.size === 8 ? 0xc0 : 0xc1], size: s.size, reg: s, rm: d });
  }

  cmpxchg(d: RegMem, s: Gpr): this {
    return this.encode({ opcode: [0x0f, s.size === 8 ? 0xb0 : 0xb1], size: s.size, reg: s, rm: d });
  }

  cmpxchg8b(m: Memory): this {
    return this.encode({ opcode: [0x0f, 0xc7], reg: 1, rm: m });
  }

  cmpxchg16b(m: Memory): this {
    return this.encode({ opcode: [0x0f, 0xc7], size: 64, reg: 1, rm: m });
  }

  bswap(d: Gpr): this {
    return this.encode({ opcode: [0x0f, 0xc8], size: d.size, opcodeRegister: d });
  }

  shld(d: RegMem, s: Gpr, count: number | Gpr): this {
    return this.doubleShift(0xa4, d, s, count);
  }

  shrd(d: RegMem, s: Gpr, count: number | Gpr): this {
    return this.doubleShift(0xac, d, s, count);
  }

  set(c: Condition, d: RegMem): this {
    return this.encode({ opcode: [0x0f, 0x90 + CONDITIONS.indexOf(c)], size: 8, reg: 0, rm: d });
  }

  push(s: Source): this {
    if (isImmediate(s)) {
      const short = fitsByte(s);
      this.db(short ? 0x6a : 0x68);
      this.value(s, short ? 1 : this.mode === 16 ? 2 : 4);
      return this;
    }
    const size = s.kind === "gpr" ? s.size : sizeOf(s);
    if (s.kind === "gpr") return this.encode({ opcode: [0x50], size, default64: true, opcodeRegister: s });
    return this.encode({ opcode: [0xff], size, default64: true, reg: 6, rm: s });
  }

  pop(d: RegMem): this {
    const size = sizeOf(d);
    if (d.kind === "gpr") return this.encode({ opcode: [0x58], size, default64: true, opcodeRegister: d });
    return this.encode({ opcode: [0x8f], size, default64: true, reg: 0, rm: d });
  }

  /** PUSHF, PUSHFD or PUSHFQ: the default size of the mode. */
  pushf = (): this => this.db(0x9c);
  popf = (): this => this.db(0x9d);
  pusha = (): this => this.db(0x60);
  popa = (): this => this.db(0x61);
  lahf = (): this => this.db(0x9f);
  sahf = (): this => this.db(0x9e);
  nop = (): this => this.db(0x90);
  leave = (): this => this.db(0xc9);
  cbw = (): this => this.plain(16, 0x98);
  cwde = (): this => this.plain(32, 0x98);
  cdqe = (): this => this.plain(64, 0x98);
  cwd = (): this => this.plain(16, 0x99);
  cdq = (): this => this.plain(32, 0x99);
  cqo = (): this => this.plain(64, 0x99);
  clc = (): this => this.db(0xf8);
  stc = (): this => this.db(0xf9);
  cmc = (): this => this.db(0xf5);
  cld = (): this => this.db(0xfc);
  std = (): this => this.db(0xfd);
  ud2 = (): this => this.db(0x0f, 0x0b);

  /** Prefixes: emitted before the next instruction. */
  lock = (): this => this.db(0xf0);
  rep = (): this => this.db(0xf3);
  repe = (): this => this.db(0xf3);
  repne = (): this => this.db(0xf2);

  movs = (size: GprSize): this => this.string(0xa4, size);
  cmps = (size: GprSize): this => this.string(0xa6, size);
  stos = (size: GprSize): this => this.string(0xaa, size);
  lods = (size: GprSize): this => this.string(0xac, size);
  scas = (size: GprSize): this => this.string(0xae, size);

  private string(opcode: number, size: GprSize): this {
    return this.encode({ opcode: [size === 8 ? opcode : opcode + 1], size });
  }

  /** CALL rel32 (rel16 in 16-bit code). */
  call(target: string | number): this {
    this.db(0xe8);
    this.relative(target, this.mode === 16 ? 2 : 4);
    return this;
  }

  callAt(target: RegMem): this {
    return this.encode({ opcode: [0xff], size: sizeOf(target), default64: true, reg: 2, rm: target });
  }

  /** JMP rel32 (rel16 in 16-bit code). */
  jmp(target: string | number): this {
    this.db(0xe9);
    this.relative(target, this.mode === 16 ? 2 : 4);
    return this;
  }

  jmpShort(target: string | number): this {
    this.db(0xeb);
    this.relative(target, 1);
    return this;
  }

  jmpAt(target: RegMem): this {
    return this.encode({ opcode: [0xff], size: sizeOf(target), default64: true, reg: 4, rm: target });
  }

  /** Jcc rel32 (rel16 in 16-bit code). */
  jcc(c: Condition, target: string | number): this {
    this.db(0x0f, 0x80 + CONDITIONS.indexOf(c));
    this.relative(target, this.mode === 16 ? 2 : 4);
    return this;
  }

  jccShort(c: Condition, target: string | number): this {
    this.db(0x70 + CONDITIONS.indexOf(c));
    this.relative(target, 1);
    return this;
  }

  loop(target: string): this {
    this.db(0xe2);
    this.relative(target, 1);
    return this;
  }

  /** JCXZ, JECXZ or JRCXZ by the address size of the mode. */
  jrcxz(target: string): this {
    this.db(0xe3);
    this.relative(target, 1);
    return this;
  }

  ret(release = 0): this {
    return release === 0 ? this.db(0xc3) : this.db(0xc2).dw(release);
  }

  enter(size: number, level: number): this {
    return this.db(0xc8).dw(size).db(level);
  }

  /** An instruction without operands at one operand size. */
  protected plain(size: GprSize, ...opcode: number[]): this {
    return this.encode({ opcode, size });
  }

  private alu(group: number, d: RegMem, s: Source): this {
    const size = sizeOf(d, s);
    if (!isImmediate(s)) return this.pair(group << 3, d, s, size);
    const short = size !== 8 && byteAt(s, size);
    const bytes = short ? 1 : immediateBytes(size);
    const immediate = { value: fold(s, size), bytes } as const;
    if (d.kind === "gpr" && d.code === 0 && !d.high && !short) {
      return this.encode({ opcode: [(group << 3) | (size === 8 ? 4 : 5)], size, immediate });
    }
    const opcode = [size === 8 ? 0x80 : short ? 0x83 : 0x81];
    return this.encode({ opcode, size, reg: group, rm: d, immediate });
  }

  /** `opcode` is the r/m8, r8 form; +1 the wider, +2 the reversed direction. */
  private pair(opcode: number, d: RegMem, s: RegMem, size: GprSize): this {
    const wide = opcode | (size === 8 ? 0 : 1);
    if (s.kind === "gpr") return this.encode({ opcode: [wide], size, reg: s, rm: d });
    if (d.kind === "gpr") return this.encode({ opcode: [wide | 2], size, reg: d, rm: s });
    throw new AsmError("two memory operands");
  }

  private sized(opcode: number, d: RegMem, s: Gpr): this {
    const size = sizeOf(d, s);
    return this.encode({ opcode: [size === 8 ? opcode : opcode + 1], size, reg: s, rm: d });
  }

  private unary(opcode: [number], extension: number, d: RegMem): this {
    const size = sizeOf(d);
    return this.encode({ opcode: [size === 8 ? opcode[0] : opcode[0] + 1], size, reg: extension, rm: d });
  }

  private step(extension: number, short: number, d: RegMem): this {
    const size = sizeOf(d);
    if (this.mode !== 64 && d.kind === "gpr" && size !== 8) {
      return this.encode({ opcode: [short], size, opcodeRegister: d });
    }
    return this.encode({ opcode: [size === 8 ? 0xfe : 0xff], size, reg: extension, rm: d });
  }

  private shift(extension: number, d: RegMem, count: number | Gpr): this {
    const size = sizeOf(d);
    const wide = size === 8 ? 0 : 1;
    if (typeof count === "object") return this.encode({ opcode: [0xd2 | wide], size, reg: extension, rm: d });
    if (count === 1) return this.encode({ opcode: [0xd0 | wide], size, reg: extension, rm: d });
    return this.encode({
      opcode: [0xc0 | wide],
      size,
      reg: extension,
      rm: d,
      immediate: { value: count, bytes: 1 },
    });
  }

  private doubleShift(opcode: number, d: RegMem, s: Gpr, count: number | Gpr): this {
    const e: Encoding = { opcode: [0x0f, opcode], size: s.size, reg: s, rm: d };
    if (typeof count === "object") return this.encode({ ...e, opcode: [0x0f, opcode + 1] });
    return this.encode({ ...e, immediate: { value: count, bytes: 1 } });
  }

  private bitTest(extension: number, d: RegMem, s: Gpr | number): this {
    if (typeof s === "object") {
      return this.encode({ opcode: [0x0f, 0x83 | (extension << 3)], size: s.size, reg: s, rm: d });
    }
    const immediate = { value: s, bytes: 1 } as const;
    return this.encode({ opcode: [0x0f, 0xba], size: sizeOf(d), reg: extension, rm: d, immediate });
  }

  private extended(opcode: number, d: Gpr, s: RegMem, mandatory?: 0xf3): this {
    const prefix = mandatory ? { mandatory } : {};
    return this.encode({ ...prefix, opcode: [0x0f, opcode], size: d.size, reg: d, rm: s });
  }
}
