/**
 * What instructions want of the random state before they do something worth comparing: a divisor that fits, a string
 * within the window, a stack.
 */
import { RFLAGS, RSP } from "./case.js";
import type { Case } from "./case.js";
import { DS, ES, PAGE, SS } from "./layout.js";
import type { Choices, Variant } from "./encode.js";

export interface Preparation {
  (c: Case, choices: Choices, v: Variant): void;
  /** Runs when the instruction's bytes are in the case. */
  after?: (c: Case, choices: Choices, v: Variant) => void;
}

/** Addresses of 32 bits from here on are unmapped. */
const UPPER_HALF = 0x80000000;
const AREA_BYTES = 576;
const HEADER_AT = 512;
const MXCSR_IN_AREA = 24;
const [RAX, RCX, RDX, RBX, RBP, RSI, RDI] = [0, 1, 2, 3, 5, 6, 7];
const STACK_ROOM = 64;
const MOST_FRAMES = 31 * 8;

function reserve(choices: Choices, ...registers: number[]): void {
  for (const r of registers) choices.reserved.add(r);
}

/** Dividends of one word in most cases, so that most divide without #DE. */
const divide: Preparation = (c, choices) => {
  reserve(choices, RAX, RDX);
  const choice = c.random.below(4);
  if (choice === 0) return;
  if (choice === 1) c.setRegister(RDX, 0n);
  else if (choice === 2) c.setRegister(RDX, BigInt.asUintN(64, BigInt.asIntN(64, c.gpr[RAX]) >> 63n));
  else c.setRegister(RDX, BigInt(c.random.below(8)));
};

const count: Preparation = (c, choices) => {
  reserve(choices, RCX);
  if (c.random.once(2)) c.setRegister(RCX, (c.gpr[RCX] & ~0xffn) | BigInt(c.random.below(72)));
};

/** A segment override and the other address size, maybe, for operands that are not in ModRM. */
function otherAddress(c: Case, choices: Choices): void {
  if (c.random.once(c.form.segmented ? 2 : 6)) choices.override = c.random.below(6);
  choices.otherAddressSize = c.random.once(8);
}

/** Elements of `bytes` from a linear address on, in the direction of DF, that lie in the window; 1 where none does. */
function elementsInWindow(c: Case, linear: bigint, bytes: number): number {
  const offset = c.windowOffset(linear);
  if (offset < 0) return 1;
  const room = c.rflags & RFLAGS.DF ? offset + bytes : c.memory.length - offset;
  return Math.max(1, Math.floor(room / bytes));
}

/** RSI and RDI within the window, and with a repeat prefix few or many elements: as many as the window has. */
const string: Preparation = (c, choices, v) => {
  const { random } = c;
  const bytes = v.size || 1;
  if (random.once(3)) c.rflags = c.rflags & ~0x100;
  otherAddress(c, choices);
  const source = c.target(bytes);
  let destination = c.target(bytes);
  c.setRegister(RSI, c.offset(choices.override ?? DS, source));
  c.setRegister(RDI, c.offset(ES, destination));
  if (random.once(8)) {
    c.setRegister(RDI, c.gpr[RSI] + BigInt(bytes * (random.below(5) - 2)));
    destination = c.gpr[RDI] + c.segmentBase(ES);
  }
  const wanted = random.once(6) ? random.below(400) : random.below(12);
  const room = [source, destination].map((linear) => elementsInWindow(c, linear, bytes));
  c.setRegister(RCX, BigInt(Math.min(wanted, ...room)));
  if (random.once(4)) return;
  choices.prefix = random.once(2) ? 0xf3 : 0xf2;
};

/** A bit offset that reaches beyond the operand: memory lies that much further. */
const bitString: Preparation = (c, choices, v) => {
  if (!v.memory || v.line.operands[1].kind !== "G") return;
  reserve(choices, choices.reg);
  const bits = BigInt(8 * v.size);
  if (c.random.once(2)) c.setRegister(choices.reg, BigInt(c.random.below(4096) - 2048));
  choices.offset = () => {
    const value = BigInt.asIntN(Number(bits), c.register(choices.reg));
    const step = value >= 0n ? value / bits : -((-value + bits - 1n) / bits);
    return step * BigInt(v.size);
  };
};

const stack: Preparation = (c, choices, v) => {
  reserve(choices, RSP);
  c.rsp = c.offset(SS, c.target(v.size || 8));
  // Pushes stay within the window.
  const offset = c.windowOffset(c.stackLinear);
  if (offset >= 0 && offset < STACK_ROOM) c.rsp += BigInt(STACK_ROOM);
};

const compareExchange: Preparation = (c, choices) => {
  reserve(choices, RAX);
  if (c.random.once(2)) c.setRegister(RAX, c.register(choices.rm));
};

/** Half of all comparisons succeed; addresses are mostly aligned. */
const compareExchangeWide: Preparation = (c, choices, v) => {
  reserve(choices, RAX, RBX, RCX, RDX);
  const bytes = v.size === 8 ? 16 : 8;
  choices.accessBytes = bytes;
  choices.aligned = v.size === 8;
  const target = c.target(bytes, choices.aligned);
  choices.target = target;
  const offset = c.windowOffset(target);
  if (offset < 0 || offset + bytes > c.memory.length || c.random.once(2)) return;
  const view = new DataView(c.memory.buffer, c.memory.byteOffset);
  if (v.size === 8) {
    c.setRegister(RAX, view.getBigUint64(offset, true));
    c.setRegister(RDX, view.getBigUint64(offset + 8, true));
  } else {
    c.setRegister(RAX, BigInt(view.getUint32(offset, true)));
    c.setRegister(RDX, BigInt(view.getUint32(offset + 4, true)));
  }
};

const translate: Preparation = (c, choices) => {
  reserve(choices, RAX, RBX);
  otherAddress(c, choices);
  c.setRegister(RBX, c.offset(choices.override ?? DS, c.target(1)) - (c.gpr[RAX] & 0xffn));
};

const maskedStore: Preparation = (c, choices, v) => {
  otherAddress(c, choices);
  c.setRegister(RDI, c.offset(choices.override ?? DS, c.target(v.line.operands[0].kind === "P" ? 8 : 16)));
};

/** Targets within the INT3s around. */
const branch: Preparation = (c, choices, v) => {
  const near = c.random.below(200) - 100;
  choices.immediates[0] = near < 0 ? near - 20 : near;
  if (v.line.mnemonic === "call") stack(c, choices, v);
  if (/^(loop|jrcxz)/.test(v.line.mnemonic)) choices.otherAddressSize = c.random.once(8);
  if (/^(loop|jrcxz)/.test(v.line.mnemonic))
    c.setRegister(RCX, BigInt(c.random.below(3)) << BigInt(c.random.pick([0, 16, 32])));
};

/**
 * A branch target where nothing is, canonical or not. What 16-bit code keeps of it is in a page that is absent, where no
 * other case's branch leads back, or on for ever.
 */
const stray = (c: Case): bigint =>
  c.mode === 64 ? c.random.u64() : BigInt(c.random.u32() | UPPER_HALF | PAGE) & 0xffffffffn;

const indirect: Preparation = (c, choices, v) => {
  stack(c, choices, v);
  // A pointer to where nothing is or to INT3s.
  const where = c.random.below(4);
  const target = where === 0 ? stray(c) : BigInt(c.instructionPointer + 40 + c.random.below(64));
  if (!v.memory) c.setRegister(choices.rm, target);
  else place(c, choices, target);
};

/** Puts a pointer at the operand's address. */
function place(c: Case, choices: Choices, value: bigint): void {
  choices.target = c.target(8);
  const offset = c.windowOffset(choices.target);
  if (offset < 0 || offset + 8 > c.memory.length) return;
  new DataView(c.memory.buffer, c.memory.byteOffset).setBigUint64(offset, value, true);
}

const near: Preparation = (c, choices, v) => {
  stack(c, choices, v);
  const offset = c.windowOffset(c.stackLinear);
  if (offset < 0 || offset + 8 > c.memory.length) return;
  const view = new DataView(c.memory.buffer, c.memory.byteOffset);
  const value = c.random.once(5) ? stray(c) : BigInt(c.instructionPointer + 40 + c.random.below(64));
  if (c.mode === 64) view.setBigUint64(offset, value, true);
  else if (v.size === 4) view.setUint32(offset, Number(value), true);
  else view.setUint16(offset, Number(value & 0xffffn), true);
};

const enter: Preparation = (c, choices, v) => {
  stack(c, choices, v);
  choices.immediates[0] = c.random.once(4) ? c.random.u32() & 0xffff : c.random.below(64);
  choices.immediates[1] = c.random.once(2) ? c.random.below(3) : c.random.below(256);
  // So do the frame pointers that it copies, at most 31.
  const frame = c.target(8);
  c.setRegister(RBP, c.offset(SS, frame));
  const offset = c.windowOffset(frame);
  if (offset >= 0 && offset < MOST_FRAMES) c.setRegister(RBP, c.register(RBP) + BigInt(MOST_FRAMES));
};

const leave: Preparation = (c) => c.setRegister(RBP, c.offset(SS, c.target(8)));

/** INT n: everything but Linux's gate. */
const interrupt: Preparation = (c, choices) => {
  let vector = c.random.below(256);
  if (vector === 0x80) vector = 4;
  choices.immediates[0] = c.random.once(8) ? c.random.pick([0, 1, 3, 4]) : vector;
};

/** XSAVE and XRSTOR: x87 and SSE alone, which both CPUs have; a header that asks for no more in most cases. */
const extendedState: Preparation = (c, choices, v) => {
  reserve(choices, RAX, RDX);
  c.setRegister(RAX, BigInt(c.random.below(4)));
  c.setRegister(RDX, 0n);
  if (v.line.mnemonic !== "xrstor") return;
  choices.target = c.target(AREA_BYTES, true);
  const offset = c.windowOffset(choices.target);
  if (offset < 0 || offset + AREA_BYTES > c.memory.length) return;
  c.memory.fill(0, offset + HEADER_AT, offset + AREA_BYTES);
  c.memory[offset + HEADER_AT] = c.random.below(4);
  const view = new DataView(c.memory.buffer, c.memory.byteOffset + offset);
  if (!c.random.once(8)) view.setUint32(MXCSR_IN_AREA, view.getUint32(MXCSR_IN_AREA, true) & 0xffff, true);
};

/** AMD's misaligned SSE mode. */
const MXCSR_MM = 0x20000n;

/** LDMXCSR of mostly valid values, some of them with the bit that only AMD has. */
const mxcsr: Preparation = (c, choices) => {
  if (c.random.once(4)) return;
  const value = c.random.u64() & 0xffffffff0000ffffn;
  place(c, choices, c.random.once(4) ? value | MXCSR_MM : value);
};

const SEGMENT_VALUES = [0, 3, 0x23, 0x2b, 0x33, 0x2a, 0x10, 0xfff8, 0x53];
const lookUp: Preparation = (c, choices, v) => {
  const value = BigInt(c.random.pick(SEGMENT_VALUES));
  if (v.memory) place(c, choices, value);
  else c.setRegister(choices.rm, (c.register(choices.rm) & ~0xffffn) | value);
};

const shifts = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sar", "shld", "shrd"];
const branches = ["jmp", "call", "loop", "loope", "loopne", "jrcxz", ...["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"].map((x) => `j${x}`)]; // prettier-ignore
const group = (names: readonly string[], p: Preparation): [string, Preparation][] => names.map((n) => [n, p]);

/** By mnemonic of the table. */
export const PREPARATIONS: Readonly<Record<string, Preparation | undefined>> = Object.fromEntries([
  ...group(["div", "idiv"], divide),
  ...group(shifts, count),
  ...group(["movs", "cmps", "stos", "lods", "scas", "ins", "outs"], string),
  ...group(["bt", "bts", "btr", "btc"], bitString),
  ...group(["push", "pop", "push_seg", "pushf", "popf", "pusha", "popa"], stack),
  ...group(branches, branch),
  ...group(["call_near", "jmp_near"], indirect),
  ...group(["verr", "verw", "lar", "lsl"], lookUp),
  ...group(["xsave", "xrstor", "xsaveopt", "xsavec"], extendedState),
  ["ldmxcsr", mxcsr],
  ["ret", near],
  ["cmpxchg", compareExchange],
  ["cmpxchg8b", compareExchangeWide],
  ["xlat", translate],
  ["maskmovq", maskedStore],
  ["maskmovdqu", maskedStore],
  ["enter", enter],
  ["leave", leave],
  ["int_imm", interrupt],
]);
