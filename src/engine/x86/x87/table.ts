/**
 * Every x87 instruction, D8 to DF, as data: the one table that decoder, engine and tests read.
 *
 * Specification: Intel SDM vol. 2D appendix A.5 (escape opcodes). The aliases without a documented name (FCOM2,
 * FXCH4, FSTP1 …) do what hardware has done since the 8087.
 */
import * as arithmetic from "./arithmetic.js";
import * as comparing from "./compare.js";
import * as environment from "./environment.js";
import type { OperandKind, X87Instruction } from "./instruction.js";
import * as transcendental from "./transcendental.js";
import * as transfer from "./transfer.js";

type Run = X87Instruction["run"];
type Options = Partial<Pick<X87Instruction, "waiting" | "control" | "effect">>;

/** First opcode byte; entries of one byte: 8 memory forms by ModRM.reg, 64 register forms by ModRM bits 5–0. */
export const X87_FIRST_OPCODE = 0xd8;
const MEMORY_FORMS = 8;
const REGISTER_FORMS = 64;
const FORMS = MEMORY_FORMS + REGISTER_FORMS;
const REGISTER_MODE = 0xc0;
const REGISTERS = 8;

const table: (X87Instruction | undefined)[] = new Array<X87Instruction | undefined>(8 * FORMS).fill(
  undefined,
);

function entry(
  mnemonic: string,
  operand: OperandKind,
  access: X87Instruction["access"],
  run: Run,
  options: Options,
): X87Instruction {
  return { mnemonic, operand, access, waiting: true, control: false, effect: "none", ...options, run };
}

/** A memory form: opcode byte and ModRM.reg. */
function memory(
  opcode: number,
  reg: number,
  mnemonic: string,
  operand: OperandKind,
  access: "read" | "write",
  run: Run,
  options: Options = {},
): void {
  table[(opcode - X87_FIRST_OPCODE) * FORMS + reg] = entry(mnemonic, operand, access, run, options);
}

/** One register form: opcode byte and whole ModRM byte. */
function single(opcode: number, modrm: number, mnemonic: string, run: Run, options: Options = {}): void {
  const slot = (opcode - X87_FIRST_OPCODE) * FORMS + MEMORY_FORMS + (modrm - REGISTER_MODE);
  table[slot] = entry(mnemonic, "none", "none", run, options);
}

/** Eight register forms, ST(0) to ST(7). */
function stack(opcode: number, modrm: number, mnemonic: string, run: Run, options: Options = {}): void {
  for (let i = 0; i < REGISTERS; i++) single(opcode, modrm + i, mnemonic, run, options);
}

const CONTROL: Options = { control: true };
const NON_WAITING: Options = { control: true, waiting: false };

/** The arithmetic and comparison forms in ModRM.reg order. */
const BASIC_ORDER = [
  "add",
  "multiply",
  "com",
  "comp",
  "subtract",
  "subtractReversed",
  "divide",
  "divideReversed",
] as const;
const BASIC_NAMES = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"] as const;

for (const [opcode, kind, prefix] of [
  [0xd8, "f32", "f"],
  [0xdc, "f64", "f"],
  [0xda, "i32", "fi"],
  [0xde, "i16", "fi"],
] as const) {
  BASIC_ORDER.forEach((operation, reg) => {
    const run =
      operation === "com"
        ? comparing.compareMemory(kind, 0)
        : operation === "comp"
          ? comparing.compareMemory(kind, 1)
          : arithmetic.withMemory(operation, kind);
    memory(opcode, reg, prefix + BASIC_NAMES[reg], kind, "read", run);
  });
}

BASIC_ORDER.forEach((operation, reg) => {
  const modrm = REGISTER_MODE + 8 * reg;
  if (operation === "com" || operation === "comp") {
    const pops = operation === "comp" ? 1 : 0;
    stack(0xd8, modrm, `f${operation}`, comparing.compareRegister(true, pops));
    stack(0xdc, modrm, `f${operation}`, comparing.compareRegister(true, pops));
    return;
  }
  stack(0xd8, modrm, `f${BASIC_NAMES[reg]}`, arithmetic.withRegister(operation, "st0", false));
});

// With ST(i) as destination the encodings of the plain and reversed forms are exchanged.
for (const [modrm, operation, name] of [
  [0xc0, "add", "fadd"],
  [0xc8, "multiply", "fmul"],
  [0xe0, "subtractReversed", "fsubr"],
  [0xe8, "subtract", "fsub"],
  [0xf0, "divideReversed", "fdivr"],
  [0xf8, "divide", "fdiv"],
] as const) {
  stack(0xdc, modrm, name, arithmetic.withRegister(operation, "sti", false));
  stack(0xde, modrm, `${name}p`, arithmetic.withRegister(operation, "sti", true));
}

memory(0xd9, 0, "fld", "f32", "read", transfer.loadNumber("f32"));
memory(0xd9, 2, "fst", "f32", "write", transfer.storeFloat("f32", false));
memory(0xd9, 3, "fstp", "f32", "write", transfer.storeFloat("f32", true));
memory(0xd9, 4, "fldenv", "env", "read", environment.loadEnvironment, CONTROL);
memory(0xd9, 5, "fldcw", "cw", "read", environment.loadControl, CONTROL);
memory(0xd9, 6, "fnstenv", "env", "write", environment.storeEnvironment, NON_WAITING);
memory(0xd9, 7, "fnstcw", "cw", "write", environment.storeControl, NON_WAITING);
stack(0xd9, 0xc0, "fld", transfer.loadRegister);
stack(0xd9, 0xc8, "fxch", transfer.exchange);
single(0xd9, 0xd0, "fnop", environment.nothing);
stack(0xd9, 0xd8, "fstpnce", transfer.storeRegisterQuietly);
single(0xd9, 0xe0, "fchs", arithmetic.changeSign);
single(0xd9, 0xe1, "fabs", arithmetic.absolute);
single(0xd9, 0xe4, "ftst", comparing.testZero);
single(0xd9, 0xe5, "fxam", comparing.examine);
(["1", "l2t", "l2e", "pi", "lg2", "ln2"] as const).forEach((name, i) => {
  single(0xd9, 0xe8 + i, `fld${name}`, transcendental.loadConstant(name));
});
single(0xd9, 0xee, "fldz", transcendental.loadConstant("0"));
single(0xd9, 0xf0, "f2xm1", transcendental.power);
single(0xd9, 0xf1, "fyl2x", transcendental.logarithm);
single(0xd9, 0xf2, "fptan", transcendental.tangent);
single(0xd9, 0xf3, "fpatan", transcendental.arctangent);
single(0xd9, 0xf4, "fxtract", arithmetic.extractParts);
single(0xd9, 0xf5, "fprem1", arithmetic.partialRemainder(true));
single(0xd9, 0xf6, "fdecstp", environment.moveTop(-1));
single(0xd9, 0xf7, "fincstp", environment.moveTop(1));
single(0xd9, 0xf8, "fprem", arithmetic.partialRemainder(false));
single(0xd9, 0xf9, "fyl2xp1", transcendental.logarithmPlus1);
single(0xd9, 0xfa, "fsqrt", arithmetic.squareRoot);
single(0xd9, 0xfb, "fsincos", transcendental.sineAndCosine);
single(0xd9, 0xfc, "frndint", arithmetic.roundToInteger);
single(0xd9, 0xfd, "fscale", arithmetic.scale);
single(0xd9, 0xfe, "fsin", transcendental.sineOrCosine("sin"));
single(0xd9, 0xff, "fcos", transcendental.sineOrCosine("cos"));

(["b", "e", "be", "u"] as const).forEach((condition, i) => {
  const effect: Options = { effect: "condition" };
  stack(0xda, 0xc0 + 8 * i, `fcmov${condition}`, comparing.conditionalMove(condition, false), effect);
  stack(0xdb, 0xc0 + 8 * i, `fcmovn${condition}`, comparing.conditionalMove(condition, true), effect);
});
single(0xda, 0xe9, "fucompp", comparing.compareRegister(false, 2));

memory(0xdb, 0, "fild", "i32", "read", transfer.loadNumber("i32"));
memory(0xdb, 1, "fisttp", "i32", "write", transfer.storeInteger("i32", true, true));
memory(0xdb, 2, "fist", "i32", "write", transfer.storeInteger("i32", false, false));
memory(0xdb, 3, "fistp", "i32", "write", transfer.storeInteger("i32", true, false));
memory(0xdb, 5, "fld", "f80", "read", transfer.loadExtended);
memory(0xdb, 7, "fstp", "f80", "write", transfer.storeExtended);
single(0xdb, 0xe0, "fneni", environment.nothing, NON_WAITING);
single(0xdb, 0xe1, "fndisi", environment.nothing, NON_WAITING);
single(0xdb, 0xe2, "fnclex", environment.clearExceptions, NON_WAITING);
single(0xdb, 0xe3, "fninit", environment.initialise, NON_WAITING);
single(0xdb, 0xe4, "fnsetpm", environment.nothing, NON_WAITING);
stack(0xdb, 0xe8, "fucomi", comparing.compareToFlags(false, 0), { effect: "eflags" });
stack(0xdb, 0xf0, "fcomi", comparing.compareToFlags(true, 0), { effect: "eflags" });

memory(0xdd, 0, "fld", "f64", "read", transfer.loadNumber("f64"));
memory(0xdd, 1, "fisttp", "i64", "write", transfer.storeInteger("i64", true, true));
memory(0xdd, 2, "fst", "f64", "write", transfer.storeFloat("f64", false));
memory(0xdd, 3, "fstp", "f64", "write", transfer.storeFloat("f64", true));
memory(0xdd, 4, "frstor", "state", "read", environment.restoreState, CONTROL);
memory(0xdd, 6, "fnsave", "state", "write", environment.saveState, NON_WAITING);
memory(0xdd, 7, "fnstsw", "sw", "write", environment.storeStatus, NON_WAITING);
stack(0xdd, 0xc0, "ffree", environment.freeRegister(false));
stack(0xdd, 0xc8, "fxch", transfer.exchange);
stack(0xdd, 0xd0, "fst", transfer.storeRegister(false));
stack(0xdd, 0xd8, "fstp", transfer.storeRegister(true));
stack(0xdd, 0xe0, "fucom", comparing.compareRegister(false, 0));
stack(0xdd, 0xe8, "fucomp", comparing.compareRegister(false, 1));

stack(0xde, 0xd0, "fcomp", comparing.compareRegister(true, 1));
single(0xde, 0xd9, "fcompp", comparing.compareRegister(true, 2));

memory(0xdf, 0, "fild", "i16", "read", transfer.loadNumber("i16"));
memory(0xdf, 1, "fisttp", "i16", "write", transfer.storeInteger("i16", true, true));
memory(0xdf, 2, "fist", "i16", "write", transfer.storeInteger("i16", false, false));
memory(0xdf, 3, "fistp", "i16", "write", transfer.storeInteger("i16", true, false));
memory(0xdf, 4, "fbld", "bcd", "read", transfer.loadBcd);
memory(0xdf, 5, "fild", "i64", "read", transfer.loadNumber("i64"));
memory(0xdf, 6, "fbstp", "bcd", "write", transfer.storeBcd);
memory(0xdf, 7, "fistp", "i64", "write", transfer.storeInteger("i64", true, false));
stack(0xdf, 0xc0, "ffreep", environment.freeRegister(true));
stack(0xdf, 0xc8, "fxch", transfer.exchange);
stack(0xdf, 0xd0, "fstp", transfer.storeRegister(true));
stack(0xdf, 0xd8, "fstp", transfer.storeRegister(true));
single(0xdf, 0xe0, "fnstsw", environment.statusToAx, { ...NON_WAITING, effect: "ax" });
stack(0xdf, 0xe8, "fucomip", comparing.compareToFlags(false, 1), { effect: "eflags" });
stack(0xdf, 0xf0, "fcomip", comparing.compareToFlags(true, 1), { effect: "eflags" });

/** The whole table, indexed by `x87Index`. An absent entry is an encoding that raises #UD. */
export const X87_TABLE: readonly (X87Instruction | undefined)[] = table;

/** Index of an encoding. `opcode` 0xd8–0xdf, `modrm` the whole byte. */
export function x87Index(opcode: number, modrm: number): number {
  const form = modrm < REGISTER_MODE ? (modrm >> 3) & 7 : MEMORY_FORMS + (modrm - REGISTER_MODE);
  return (opcode - X87_FIRST_OPCODE) * FORMS + form;
}

/** The instruction of an encoding, or undefined when it raises #UD. */
export function lookupX87(opcode: number, modrm: number): X87Instruction | undefined {
  return X87_TABLE[x87Index(opcode, modrm)];
}
