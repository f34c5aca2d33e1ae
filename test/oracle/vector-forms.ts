/**
 * Floating-point, MMX and SSSE3–SSE4.2 forms for the comparison with the host's CPU. Floating point runs under a
 * rounding mode, FTZ, DAZ and sticky flags taken from the row, and leaves MXCSR in memory.
 */
import { GPRS, memory, r11 } from "../support/asm/index.js";
import type { Assembler } from "../support/asm/index.js";
import { CF, ZF, PF } from "../support/model/flags.js";
import type { Form } from "./forms.js";
import { rareVectorForms } from "./rare-vector-forms.js";

const PREFIX = { np: [], 66: [0x66], f3: [0xf3], f2: [0xf2] } as const;
type Prefix = keyof typeof PREFIX;
const ALL: readonly Prefix[] = ["np", 66, "f3", "f2"];
/** ModRM of xmm0, xmm1 and of xmm0, [r11+8]. */
const REGISTERS = 0xc1;
const MEMORY = [0x43, 0x08];
const REX_B = 0x41;
/** MXCSR fields that rows choose: rounding, FTZ, DAZ, sticky flags; all exceptions stay masked. */
const MXCSR_CHOSEN = 0xe07f;
const MXCSR_MASKS = 0x1f80;
const [EAX] = GPRS[32];

/** All masked, to nearest, PE sticky: where engines compute natively. */
const MXCSR_USUAL = 0x1fa0;

/** Loads MXCSR from the row's first word (or the usual one), runs `code`, stores MXCSR behind it. */
function underMxcsr(x: Assembler, code: readonly number[], usual: boolean): Assembler {
  if (usual) x.mov(EAX, MXCSR_USUAL);
  else x.mov(EAX, memory(32, r11)).and(EAX, MXCSR_CHOSEN).or(EAX, MXCSR_MASKS);
  x.mov(memory(32, r11, 0x10), EAX);
  x.db(REX_B, 0x0f, 0xae, 0x53, 0x10); // ldmxcsr [r11+0x10]
  x.db(...code);
  return x.db(REX_B, 0x0f, 0xae, 0x5b, 0x18); // stmxcsr [r11+0x18]
}

function hex(bytes: readonly number[]): string {
  return bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
}

function floatForm(code: readonly number[], defined: () => bigint = () => 0n): Form[] {
  return [
    { name: `float ${hex(code)}`, emit: (x) => underMxcsr(x, code, false), defined },
    { name: `float ${hex(code)}, usual MXCSR`, emit: (x) => underMxcsr(x, code, true), defined },
  ];
}

/** 0F opcodes that exist with each prefix. */
const ARITHMETIC: readonly (readonly [number, readonly Prefix[]])[] = [
  [0x51, ALL],
  [0x58, ALL],
  [0x59, ALL],
  [0x5a, ALL],
  [0x5b, ["np", 66, "f3"]],
  [0x5c, ALL],
  [0x5d, ALL],
  [0x5e, ALL],
  [0x5f, ALL],
  [0x7c, [66, "f2"]],
  [0x7d, [66, "f2"]],
  [0xd0, [66, "f2"]],
  [0xe6, [66, "f3", "f2"]],
];

function arithmeticForms(): Form[] {
  const forms: Form[] = [];
  for (const [opcode, prefixes] of ARITHMETIC) {
    for (const prefix of prefixes) {
      forms.push(...floatForm([...PREFIX[prefix], 0x0f, opcode, REGISTERS]));
      const scalar = prefix === "f2" || prefix === "f3";
      if (scalar && opcode < 0x60 && opcode !== 0x5b) {
        forms.push(...floatForm([...PREFIX[prefix], REX_B, 0x0f, opcode, ...MEMORY]));
      }
    }
  }
  for (const prefix of ALL) {
    for (let predicate = 0; predicate < 8; predicate++) {
      forms.push(...floatForm([...PREFIX[prefix], 0x0f, 0xc2, REGISTERS, predicate]));
    }
  }
  return forms;
}

/** Comparisons to EFLAGS, conversions with general registers and MMX, ROUND, DP. */
function otherFloatForms(): Form[] {
  const forms: Form[] = [];
  for (const opcode of [0x2e, 0x2f]) {
    forms.push(...floatForm([0x0f, opcode, REGISTERS], () => ZF | PF | CF));
    forms.push(...floatForm([0x66, 0x0f, opcode, REGISTERS], () => ZF | PF | CF));
  }
  for (const prefix of [0xf3, 0xf2]) {
    for (const rex of [[], [0x48]]) {
      forms.push(...floatForm([prefix, ...rex, 0x0f, 0x2a, 0xc2])); // from edx, rdx
      forms.push(...floatForm([prefix, ...rex, 0x0f, 0x2c, 0xc1])); // to eax, rax
      forms.push(...floatForm([prefix, ...rex, 0x0f, 0x2d, 0xc1]));
    }
  }
  const fromMmx = [0xf3, 0x0f, 0xd6, 0xc0, 0x0f, 0x77]; // movq2dq xmm0, mm0; emms
  for (const prefix of [[], [0x66]]) {
    for (const opcode of [0x2c, 0x2d])
      forms.push(...floatForm([...prefix, 0x0f, opcode, REGISTERS, ...fromMmx]));
    forms.push(...floatForm([0xf2, 0x0f, 0xd6, 0xc9, ...prefix, 0x0f, 0x2a, REGISTERS, 0x0f, 0x77]));
  }
  for (const opcode of [0x08, 0x09, 0x0a, 0x0b]) {
    for (const mode of [0, 1, 2, 3, 4, 8])
      forms.push(...floatForm([0x66, 0x0f, 0x3a, opcode, REGISTERS, mode]));
  }
  for (const mask of [0xff, 0x71, 0x3a]) forms.push(...floatForm([0x66, 0x0f, 0x3a, 0x40, REGISTERS, mask]));
  for (const mask of [0x33, 0x12]) forms.push(...floatForm([0x66, 0x0f, 0x3a, 0x41, REGISTERS, mask]));
  return forms;
}

function plain(code: readonly number[], defined?: () => bigint): Form {
  return { name: `vector ${hex(code)}`, emit: (x) => x.db(...code), ...(defined && { defined }) };
}

/** 0F 38 opcodes of SSSE3, which MMX has too. */
const SSSE3 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x1c, 0x1d, 0x1e];
/** 0F 38 opcodes of SSE4. */
const SSE4 = [
  0x10, 0x14, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x28, 0x29, 0x2b, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35,
  0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40,
];
/** 0F 3A opcodes with an immediate, xmm0, xmm1. */
const IMMEDIATE = [0x0c, 0x0d, 0x0e, 0x0f, 0x21];

function newerForms(): Form[] {
  const forms = [...SSSE3, ...SSE4].map((opcode) => plain([0x66, 0x0f, 0x38, opcode, REGISTERS]));
  forms.push(plain([0x66, 0x0f, 0x38, 0x17, REGISTERS]));
  for (const opcode of IMMEDIATE) {
    for (const immediate of [0, 1, 5, 0x1b, 0x93, 0xf7]) {
      forms.push(plain([0x66, 0x0f, 0x3a, opcode, REGISTERS, immediate]));
    }
  }
  for (const immediate of [0, 3, 7, 14]) {
    forms.push(plain([0x66, 0x0f, 0x3a, 0x14, 0xc8, immediate])); // pextrb eax, xmm1
    forms.push(plain([0x66, 0x0f, 0x3a, 0x15, 0xc8, immediate]));
    forms.push(plain([0x66, 0x0f, 0x3a, 0x16, 0xc8, immediate]));
    forms.push(plain([0x66, 0x48, 0x0f, 0x3a, 0x16, 0xc8, immediate]));
    forms.push(plain([0x66, 0x0f, 0x3a, 0x17, 0xc8, immediate]));
    forms.push(plain([0x66, 0x0f, 0x3a, 0x20, 0xc2, immediate])); // pinsrb xmm0, edx
    forms.push(plain([0x66, 0x0f, 0x3a, 0x22, 0xc2, immediate]));
    forms.push(plain([0x66, 0x48, 0x0f, 0x3a, 0x22, 0xc2, immediate]));
  }
  for (const code of [
    [0xf3, 0x0f, 0x12, REGISTERS],
    [0xf2, 0x0f, 0x12, REGISTERS],
    [0xf3, 0x0f, 0x16, REGISTERS],
    [0x0f, 0x12, REGISTERS],
    [0x0f, 0x16, REGISTERS],
    [0x0f, 0x15, REGISTERS],
    [0x66, 0x0f, 0x14, REGISTERS],
    [0x66, 0x0f, 0x15, REGISTERS],
    [0x0f, 0x54, REGISTERS],
    [0x0f, 0x55, REGISTERS],
    [0xf3, 0x0f, 0x10, REGISTERS],
    [0xf2, 0x0f, 0x10, REGISTERS],
    [0x0f, 0x50, REGISTERS],
    [0xf3, 0x0f, 0xb8, 0xc2], // popcnt eax, edx
    [0xf3, 0x48, 0x0f, 0xb8, 0xc2],
    [0xf2, 0x0f, 0x38, 0xf0, 0xc2], // crc32 eax, dl
    [0xf2, 0x0f, 0x38, 0xf1, 0xc2],
    [0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc2],
    [REX_B, 0x0f, 0x38, 0xf0, 0x43, 0x04], // movbe eax, [r11+4]
    [REX_B, 0x0f, 0x38, 0xf1, 0x43, 0x04],
    [0xf2, REX_B, 0x0f, 0xf0, 0x43, 0x03], // lddqu xmm0, [r11+3]
    [0x66, REX_B, 0x0f, 0x38, 0x2a, 0x43, 0x10], // movntdqa xmm0, [r11+16]
  ]) {
    forms.push(plain(code));
  }
  return forms;
}

/** 0F opcodes that MMX and SSE2 share. */
const SHARED = [
  0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x74, 0x75, 0x76, 0xd1, 0xd2, 0xd3,
  0xd4, 0xd5, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe8, 0xe9,
  0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd,
  0xfe,
];

/** MMX: the low halves of xmm0 and xmm1 as mm0 and mm1, the result back in xmm0. */
function mmxForm(code: readonly number[]): Form {
  const around = [
    0xf2,
    0x0f,
    0xd6,
    0xc0,
    0xf2,
    0x0f,
    0xd6,
    0xc9,
    ...code,
    0xf3,
    0x0f,
    0xd6,
    0xc0,
    0x0f,
    0x77,
  ];
  return { name: `mmx ${hex(code)}`, emit: (x) => x.db(...around) };
}

function mmxForms(): Form[] {
  const forms = SHARED.map((opcode) => mmxForm([0x0f, opcode, REGISTERS]));
  for (const opcode of SSSE3) forms.push(mmxForm([0x0f, 0x38, opcode, REGISTERS]));
  for (const immediate of [0, 3, 8, 11, 16, 40])
    forms.push(mmxForm([0x0f, 0x3a, 0x0f, REGISTERS, immediate]));
  for (const immediate of [0x1b, 0xb4]) forms.push(mmxForm([0x0f, 0x70, REGISTERS, immediate]));
  for (const count of [0, 5, 17, 70]) {
    for (const extension of [0xd0, 0xe0, 0xf0]) {
      forms.push(mmxForm([0x0f, 0x71, extension, count]), mmxForm([0x0f, 0x72, extension, count]));
    }
    forms.push(mmxForm([0x0f, 0x73, 0xd0, count]), mmxForm([0x0f, 0x73, 0xf0, count]));
  }
  forms.push(mmxForm([0x0f, 0xc4, 0xc2, 2]), mmxForm([0x0f, 0xc5, 0xc1, 3]), mmxForm([0x0f, 0xd7, 0xc1]));
  return forms;
}

/** x87 on doubles of the row, the 80-bit result and the status word left in memory. */
function x87Forms(): Form[] {
  const load = [0x9b, 0xdb, 0xe3, 0x41, 0xdd, 0x43, 0x08, 0x41, 0xdd, 0x03]; // finit; fld [r11+8]; fld [r11]
  const store = [0x41, 0xdb, 0x7b, 0x20, 0x41, 0xdd, 0x7b, 0x30, 0xdb, 0xe3]; // fstp tword [r11+32]; fnstsw; fninit
  const operations = [
    [0xd8, 0xc1],
    [0xd8, 0xc9],
    [0xd8, 0xe1],
    [0xd8, 0xe9],
    [0xd8, 0xf1],
    [0xd8, 0xf9],
    [0xd9, 0xe0],
    [0xd9, 0xe1],
    [0xd9, 0xfa],
    [0xd9, 0xfc],
    [0xd9, 0xc9],
    [0xd8, 0xd1],
    [0xdd, 0xe1],
    [0xd9, 0xf8],
    [0x41, 0xda, 0x43, 0x08],
    [0x41, 0xdc, 0x43, 0x10],
  ];
  // fisttp word, dword and qword [r11+56]
  const truncating = [0xdf, 0xdb, 0xdd].map((opcode) => [0x41, opcode, 0x4b, 0x38]);
  return [...operations, ...truncating].map((code) => ({
    name: `x87 ${hex(code)}`,
    emit: (x: Assembler) => x.db(...load, ...code, ...store),
  }));
}

export function newerVectorForms(): Form[] {
  return [
    ...arithmeticForms(),
    ...otherFloatForms(),
    ...newerForms(),
    ...mmxForms(),
    ...x87Forms(),
    ...rareVectorForms(),
  ];
}
