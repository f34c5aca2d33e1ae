/**
 * The instruction forms that are compared with the host's CPU: how each is emitted and which flags it defines.
 * Registers: RAX, RCX, RDX, RSI, RDI and XMM0–1 are operands; [R11] is a memory operand of 64 bytes; the rest
 * belongs to the loop around.
 */
import { CONDITIONS, GPRS, at, cl, memory, oword, r11, rdi, rsi, xmm0, xmm1 } from "../support/asm/index.js";
import type { Assembler, Memory } from "../support/asm/index.js";
import { AF, CF, OF, STATUS, ZF, doubleShift, shift } from "../support/model/flags.js";
import type { ShiftOp, Size } from "../support/model/flags.js";
import type { Row } from "./rows.js";
import { bitManipulationForms } from "./bit-manipulation-forms.js";
import { newerVectorForms } from "./vector-forms.js";

export interface Form {
  name: string;
  emit(a: Assembler): unknown;
  /** Status flags that the manual defines for this row; all when absent. */
  defined?(row: Row): bigint;
  /** Whether the destination is undefined for this row (BSF of 0, SHLD beyond the operand). */
  undefinedResult?(row: Row): boolean;
  /** Keeps RCX small: it is a repeat count. */
  repeats?: boolean;
}

const SIZES: Size[] = [8, 16, 32, 64];
const WIDE = [16, 32, 64] as const;
const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
const SHIFTS: ShiftOp[] = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sar"];
const cell = (size: Size): Memory => memory(size, r11);
const [RAX, RCX, RDX] = [0, 1, 2];

function aluForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    const [a, , d] = GPRS[size];
    const immediate = size === 8 ? 0x7f : size === 16 ? 0x8001 : 0x7fedcba9;
    for (const op of ALU) {
      const defined = (): bigint => (op === "and" || op === "or" || op === "xor" ? STATUS & ~AF : STATUS);
      forms.push({ name: `${op}${size} r, r`, emit: (x) => x[op](a, d), defined });
      forms.push({ name: `${op}${size} r, m`, emit: (x) => x[op](d, cell(size)), defined });
      forms.push({ name: `${op}${size} m, r`, emit: (x) => x[op](cell(size), a), defined });
      forms.push({ name: `${op}${size} r, imm`, emit: (x) => x[op](d, immediate), defined });
      forms.push({ name: `${op}${size} m, imm8`, emit: (x) => x[op](cell(size), -3), defined });
    }
    forms.push({ name: `test${size} r, r`, emit: (x) => x.test(a, d), defined: () => STATUS & ~AF });
    forms.push({
      name: `test${size} m, imm`,
      emit: (x) => x.test(cell(size), immediate),
      defined: () => STATUS & ~AF,
    });
    for (const op of ["inc", "dec", "neg", "not"] as const) {
      forms.push({ name: `${op}${size} r`, emit: (x) => x[op](d) });
      forms.push({ name: `${op}${size} m`, emit: (x) => x[op](cell(size)) });
    }
  }
  return forms;
}

function shiftForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    for (const op of SHIFTS) {
      const definedBy = (value: (row: Row) => bigint, count: (row: Row) => bigint) => (row: Row) =>
        shift(op, size, value(row), count(row), row.flags).defined;
      const byCl = (row: Row): bigint => row.gpr[RCX] & 0xffn;
      forms.push({
        name: `${op}${size} r, cl`,
        emit: (x) => x[op](GPRS[size][RAX], cl),
        defined: definedBy((row) => row.gpr[RAX], byCl),
      });
      forms.push({
        name: `${op}${size} m, cl`,
        emit: (x) => x[op](cell(size), cl),
        defined: definedBy((row) => row.memory[0], byCl),
      });
      for (const count of [1, 5, 31]) {
        forms.push({
          name: `${op}${size} r, ${count}`,
          emit: (x) => x[op](GPRS[size][RDX], count),
          defined: definedBy(
            (row) => row.gpr[RDX],
            () => BigInt(count),
          ),
        });
      }
    }
  }
  for (const size of WIDE) {
    for (const op of ["shld", "shrd"] as const) {
      const effect = (row: Row): ReturnType<typeof doubleShift> =>
        doubleShift(op, size, row.gpr[RAX], row.gpr[RDX], row.gpr[RCX] & 0xffn, row.flags);
      forms.push({
        name: `${op}${size} r, r, cl`,
        emit: (x) => x[op](GPRS[size][RAX], GPRS[size][RDX], cl),
        defined: (row) => effect(row)?.defined ?? 0n,
        undefinedResult: (row) => effect(row) === undefined,
      });
    }
  }
  return forms;
}

function multiplyForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    for (const op of ["mul", "imul1"] as const) {
      forms.push({ name: `${op} ${size}`, emit: (x) => x[op](GPRS[size][RCX]), defined: () => CF | OF });
    }
    for (const op of ["div", "idiv"] as const) {
      forms.push({ name: `${op} ${size} r`, emit: (x) => x[op](GPRS[size][RCX]), defined: () => 0n });
      // A dividend of one word, so that most rows divide without #DE.
      forms.push({
        name: `${op} ${size} m, narrow`,
        emit: (x) =>
          (size === 8 ? x.movsx(GPRS[16][RAX], GPRS[8][RAX]) : x.xor(GPRS[32][RDX], GPRS[32][RDX]))[op](
            cell(size),
          ),
        defined: () => 0n,
      });
    }
  }
  for (const size of WIDE) {
    const [a, c, d] = GPRS[size];
    forms.push({ name: `imul${size} r, r`, emit: (x) => x.imul(a, c), defined: () => CF | OF });
    forms.push({ name: `imul${size} r, m`, emit: (x) => x.imul(d, cell(size)), defined: () => CF | OF });
    forms.push({ name: `imul${size} r, r, imm8`, emit: (x) => x.imul3(a, d, -7), defined: () => CF | OF });
    forms.push({ name: `imul${size} r, r, imm`, emit: (x) => x.imul3(a, d, 0x1235), defined: () => CF | OF });
  }
  return forms;
}

function bitForms(): Form[] {
  const forms: Form[] = [];
  for (const size of WIDE) {
    const [a, c, d] = GPRS[size];
    for (const op of ["bt", "bts", "btr", "btc"] as const) {
      const defined = (): bigint => CF | ZF;
      forms.push({ name: `${op}${size} r, r`, emit: (x) => x[op](a, c), defined });
      forms.push({ name: `${op}${size} m, imm`, emit: (x) => x[op](cell(size), 13), defined });
    }
    for (const op of ["bsf", "bsr"] as const) {
      const zero = (row: Row): boolean => BigInt.asUintN(size, row.gpr[RDX]) === 0n;
      forms.push({
        name: `${op}${size}`,
        emit: (x) => x[op](a, d),
        defined: () => ZF,
        undefinedResult: zero,
      });
    }
    forms.push({ name: `bswap${size}`, emit: (x) => (size === 16 ? x.nop() : x.bswap(a)) });
    for (const condition of CONDITIONS) {
      forms.push({ name: `cmov${condition} ${size}`, emit: (x) => x.cmov(condition, a, d) });
    }
    forms.push({ name: `movzx${size} r, r8`, emit: (x) => x.movzx(a, GPRS[8][RDX]) });
    forms.push({ name: `movsx${size} r, m8`, emit: (x) => x.movsx(a, memory(8, r11)) });
    if (size !== 16) forms.push({ name: `movsx${size} r, r16`, emit: (x) => x.movsx(a, GPRS[16][RDX]) });
  }
  for (const condition of CONDITIONS)
    forms.push({ name: `set${condition}`, emit: (x) => x.set(condition, GPRS[8][RDX]) });
  for (const size of SIZES) {
    const [a, c, d] = GPRS[size];
    forms.push({ name: `xadd${size} r, r`, emit: (x) => x.xadd(a, d) });
    forms.push({ name: `lock xadd${size} m, r`, emit: (x) => x.lock().xadd(cell(size), d) });
    forms.push({ name: `cmpxchg${size} r, r`, emit: (x) => x.cmpxchg(d, c) });
    forms.push({ name: `cmpxchg${size} m, r`, emit: (x) => x.cmpxchg(cell(size), c) });
    forms.push({
      name: `cmpxchg${size} m, r that matches`,
      emit: (x) => x.mov(a, cell(size)).cmpxchg(cell(size), c),
    });
    forms.push({ name: `xchg${size} m, r`, emit: (x) => x.xchg(cell(size), d) });
  }
  const plain: [string, (x: Assembler) => unknown][] = [
    ["cbw", (x) => x.cbw()],
    ["cwde", (x) => x.cwde()],
    ["cdqe", (x) => x.cdqe()],
    ["cwd", (x) => x.cwd()],
    ["cdq", (x) => x.cdq()],
    ["cqo", (x) => x.cqo()],
    ["lahf", (x) => x.lahf()],
    ["sahf", (x) => x.sahf()],
    ["cmc", (x) => x.cmc()],
    [
      "lea64",
      (x) => x.lea(GPRS[64][RAX], at({ base: GPRS[64][RCX], index: GPRS[64][RDX], scale: 8, disp: -5 })),
    ],
    [
      "lea32",
      (x) => x.lea(GPRS[32][RAX], at({ base: GPRS[32][RCX], index: GPRS[32][RDX], scale: 2, disp: 77 })),
    ],
  ];
  return [...forms, ...plain.map(([name, emit]) => ({ name, emit }))];
}

function stringForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    for (const down of [false, true]) {
      const start = (x: Assembler): Assembler => {
        x.lea(rsi, at(r11, down ? 24 : 0)).lea(rdi, at(r11, down ? 56 : 32));
        return down ? x.std() : x;
      };
      const tag = `${size}${down ? " downwards" : ""}`;
      const make = (name: string, emit: (x: Assembler) => Assembler, repeats = false): void => {
        forms.push({ name: `${name}${tag}`, emit: (x) => emit(start(x)).cld(), repeats });
      };
      make("movs", (x) => x.movs(size));
      make("stos", (x) => x.stos(size));
      make("lods", (x) => x.lods(size));
      make("scas", (x) => x.scas(size));
      make("cmps", (x) => x.cmps(size));
      make("rep movs", (x) => x.rep().movs(size), true);
      make("rep stos", (x) => x.rep().stos(size), true);
      make("repe cmps", (x) => x.repe().cmps(size), true);
      make("repne scas", (x) => x.repne().scas(size), true);
    }
  }
  return forms;
}

/** 0F opcodes of SSE2 integer instructions of the form xmm, xmm/m128 (SDM vol. 2D table A-3, prefix 66). */
const PACKED = [
  0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x74, 0x75, 0x76, 0xd1,
  0xd2, 0xd3, 0xd4, 0xd5, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5,
  0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb,
  0xfc, 0xfd, 0xfe,
];
/** Shifts by an immediate: opcode and the extensions it has. */
const PACKED_SHIFTS: [0x71 | 0x72 | 0x73, number[]][] = [
  [0x71, [2, 4, 6]],
  [0x72, [2, 4, 6]],
  [0x73, [2, 3, 6, 7]],
];

function vectorForms(): Form[] {
  const forms: Form[] = [];
  for (const opcode of PACKED) {
    const name = `66 0F ${opcode.toString(16).toUpperCase()}`;
    forms.push({ name: `${name} xmm, xmm`, emit: (x) => x.packed(opcode, xmm0, xmm1) });
    forms.push({ name: `${name} xmm, m128`, emit: (x) => x.packed(opcode, xmm0, oword(r11)) });
  }
  for (const [opcode, extensions] of PACKED_SHIFTS) {
    for (const extension of extensions) {
      for (const count of [0, 1, 7, 15, 16, 31, 32, 63, 64, 200]) {
        const name = `66 0F ${opcode.toString(16)} /${extension}, ${count}`;
        forms.push({ name, emit: (x) => x.packedShift(opcode, extension, xmm0, count) });
      }
    }
  }
  const bytes: [string, number[]][] = [
    ["pshufd", [0x66, 0x0f, 0x70, 0xc1, 0x1b]],
    ["pshufhw", [0xf3, 0x0f, 0x70, 0xc1, 0x4e]],
    ["pshuflw", [0xf2, 0x0f, 0x70, 0xc1, 0x93]],
    ["pmovmskb eax, xmm0", [0x66, 0x0f, 0xd7, 0xc0]],
    ["pextrw eax, xmm0, 5", [0x66, 0x0f, 0xc5, 0xc0, 0x05]],
    ["pinsrw xmm0, edx, 6", [0x66, 0x0f, 0xc4, 0xc2, 0x06]],
    ["movd xmm0, edx", [0x66, 0x0f, 0x6e, 0xc2]],
    ["movd eax, xmm1", [0x66, 0x0f, 0x7e, 0xc8]],
    ["movq xmm0, xmm1", [0xf3, 0x0f, 0x7e, 0xc1]],
    ["shufps", [0x0f, 0xc6, 0xc1, 0x72]],
    ["shufpd", [0x66, 0x0f, 0xc6, 0xc1, 0x01]],
    ["unpcklps", [0x0f, 0x14, 0xc1]],
    ["movmskpd", [0x66, 0x0f, 0x50, 0xc1]],
  ];
  return [...forms, ...bytes.map(([name, code]) => ({ name, emit: (x: Assembler) => x.db(...code) }))];
}

/** Every form of the comparison. */
export function allForms(): Form[] {
  return [
    ...aluForms(),
    ...shiftForms(),
    ...multiplyForms(),
    ...bitForms(),
    ...stringForms(),
    ...vectorForms(),
    ...newerVectorForms(),
    ...bitManipulationForms(),
  ];
}
