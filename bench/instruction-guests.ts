/**
 * Freestanding programs that run one kind of instruction over and over: string instructions over buffers, cipher,
 * hash and bit instructions, floating point. They say what an instruction costs, and show a slow path that is taken
 * for ever. Each ends through the debug-exit port; what they compute is not checked here, oracle and suite do that.
 */
import { eax, ecx, edx, memory, r12d, rax, rdi, rsi } from "../test/support/asm/index.js";
import type { Assembler, GprSize } from "../test/support/asm/index.js";
import { guest } from "../test/conformance/support/guest.js";
import * as layout from "../test/conformance/support/layout.js";
import { stateLoaderElf } from "../test/support/qemu/state-loader.js";
import { BEGIN_LINE, END_LINE, printLine } from "./compute/program.js";

export interface InstructionGuest {
  name: string;
  /** What one pass does, in units of `unit`. */
  work: number;
  passes: number;
  unit: "bytes" | "instructions";
  elf: Uint8Array;
}

type Emit = (a: Assembler) => unknown;

/** Buffers lie in the second and third MiB of RAM that their environment leaves free. */
const SOURCE = 0x800000;
const TARGET = 0xa00000;
const CONSTANTS = 0x7f0000;
/** An odd distance makes operands unaligned; it is no small one modulo the page, which the host's own copy dislikes. */
const UNALIGNED = 0x703;

function program(
  name: string,
  unit: InstructionGuest["unit"],
  work: number,
  passes: number,
  before: Emit,
  pass: Emit,
): InstructionGuest {
  const made = guest(name, { cites: "bench" }, (g) => {
    const { a } = g;
    g.data(CONSTANTS, constants());
    printLine(a, BEGIN_LINE);
    before(a);
    a.mov(r12d, passes).label("pass");
    pass(a);
    a.dec(r12d).jcc("ne", "pass");
    printLine(a, END_LINE);
    g.exit();
  });
  return { name, unit, work, passes, elf: stateLoaderElf(made.start, made.chunks, layout.RUNNER_PAGE) };
}

// ── strings ─────────────────────────────────────────────────────────────────────────────────────────────────

interface StringCase {
  name: string;
  operation: "movs" | "stos" | "cmps" | "scas";
  size: GprSize;
  bytes: number;
  source?: number;
  target?: number;
  backwards?: boolean;
}

const KIB = 1024;
const BUFFER = 64 * KIB;
/** Bytes that each string program goes over in all. */
const STRING_TOTAL = 8192 * KIB * KIB;

const STRINGS: readonly StringCase[] = [
  ...([8, 16, 32, 64] as const).map((size): StringCase => ({
    name: "",
    operation: "movs",
    size,
    bytes: BUFFER,
  })),
  { name: "unaligned", operation: "movs", size: 8, bytes: BUFFER, target: TARGET + UNALIGNED },
  { name: "backwards", operation: "movs", size: 64, bytes: BUFFER, backwards: true },
  { name: "overlapping by 1", operation: "movs", size: 8, bytes: BUFFER, target: SOURCE + 1 },
  { name: "of 16 bytes", operation: "movs", size: 8, bytes: 16 },
  { name: "of 64 bytes", operation: "movs", size: 8, bytes: 64 },
  { name: "of 256 bytes", operation: "movs", size: 8, bytes: 256 },
  { name: "of 1 KiB", operation: "movs", size: 8, bytes: KIB },
  ...([8, 32, 64] as const).map((size): StringCase => ({ name: "", operation: "stos", size, bytes: BUFFER })),
  { name: "backwards", operation: "stos", size: 8, bytes: BUFFER, backwards: true },
  { name: "of 16 bytes", operation: "stos", size: 8, bytes: 16 },
  { name: "of 64 bytes", operation: "stos", size: 64, bytes: 64 },
  ...([8, 16, 64] as const).map((size): StringCase => ({ name: "", operation: "cmps", size, bytes: BUFFER })),
  { name: "backwards", operation: "cmps", size: 8, bytes: BUFFER, backwards: true },
  { name: "of 16 bytes", operation: "cmps", size: 8, bytes: 16 },
  ...([8, 32, 64] as const).map((size): StringCase => ({ name: "", operation: "scas", size, bytes: BUFFER })),
  { name: "of 16 bytes", operation: "scas", size: 8, bytes: 16 },
];

function stringProgram(c: StringCase): InstructionGuest {
  const step = c.size / 8;
  const last = c.backwards ? c.bytes - step : 0;
  const total = Math.min(STRING_TOTAL, c.bytes * 10_000_000);
  const name = `rep ${c.operation} ${c.size} ${c.name}`.trim();
  return program(
    name,
    "bytes",
    c.bytes,
    Math.round(total / c.bytes),
    (a) => (c.backwards ? a.std() : a.cld()),
    (a) => {
      a.mov(rsi, (c.source ?? SOURCE) + last)
        .mov(rdi, (c.target ?? TARGET) + last)
        .mov(ecx, c.bytes / step);
      if (c.operation === "scas") a.mov(rax, 1).repne().scas(c.size);
      else a.xor(eax, eax).rep()[c.operation](c.size);
    },
  );
}

// ── ciphers, hashes, bits, floats ───────────────────────────────────────────────────────────────────────────

function constants(): Uint8Array {
  const view = new DataView(new ArrayBuffer(64));
  view.setFloat64(0, 0.1, true);
  view.setFloat64(8, 1 / 3, true);
  view.setFloat64(16, 1.0000001, true);
  view.setFloat64(24, 0.7, true);
  [0.1, 1 / 3, 1.0000001, 0.7].forEach((value, i) => view.setFloat32(32 + 4 * i, value, true));
  return new Uint8Array(view.buffer);
}

const bytes =
  (...values: number[]): Emit =>
  (a) =>
    a.db(...values);

/** XMM1 and XMM3 hold two doubles, XMM2 four floats; RAX, RCX and RDX bits. */
const prepare: Emit = (a) => {
  a.mov(rsi, CONSTANTS);
  bytes(0x0f, 0x10, 0x0e, 0x0f, 0x10, 0x56, 0x20, 0x0f, 0x10, 0x5e, 0x10)(a);
  bytes(0x0f, 0x10, 0xc1)(a);
  a.mov(rax, 0x123456789abcdefn).mov(ecx, 0xf0f0f0f1).mov(edx, 0x12345678);
};

const UNROLLED = 16;
const INSTRUCTION_PASSES = 1_000_000;

interface Kind {
  name: string;
  emit: Emit;
  /** Instructions that `emit` writes. */
  count?: number;
  before?: Emit;
  passes?: number;
}

const ldmxcsr =
  (value: number): Emit =>
  (a) => {
    a.mov(memory(32, CONSTANTS + 0x100), value);
    a.mov(rdi, CONSTANTS + 0x100);
    bytes(0x0f, 0xae, 0x17)(a);
  };

const KINDS: readonly Kind[] = [
  { name: "aesenc", emit: bytes(0x66, 0x0f, 0x38, 0xdc, 0xc1) },
  { name: "aesenclast", emit: bytes(0x66, 0x0f, 0x38, 0xdd, 0xc1) },
  { name: "aesdec", emit: bytes(0x66, 0x0f, 0x38, 0xde, 0xc1) },
  { name: "aesimc", emit: bytes(0x66, 0x0f, 0x38, 0xdb, 0xc1) },
  { name: "aeskeygenassist", emit: bytes(0x66, 0x0f, 0x3a, 0xdf, 0xc1, 0x01) },
  { name: "pclmulqdq", emit: bytes(0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x01) },
  { name: "sha256rnds2", emit: bytes(0x0f, 0x38, 0xcb, 0xca) },
  { name: "sha1rnds4", emit: bytes(0x0f, 0x3a, 0xcc, 0xca, 0x01) },
  { name: "crc32 8", emit: bytes(0xf2, 0x0f, 0x38, 0xf0, 0xc1) },
  { name: "crc32 64", emit: bytes(0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc1) },
  { name: "pext 64", emit: bytes(0xc4, 0xe2, 0xf2, 0xf5, 0xd0) },
  { name: "pdep 64", emit: bytes(0xc4, 0xe2, 0xf3, 0xf5, 0xd0) },
  { name: "pcmpistri", emit: bytes(0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x18) },
  { name: "pshufb", emit: bytes(0x66, 0x0f, 0x38, 0x00, 0xc1) },
  { name: "addsd", emit: bytes(0xf2, 0x0f, 0x58, 0xc1) },
  { name: "mulsd, addsd", count: 2, emit: bytes(0xf2, 0x0f, 0x59, 0xc1, 0xf2, 0x0f, 0x58, 0xc3) },
  { name: "addsd of integers, PE clear", before: clearPrecision, emit: bytes(0xf2, 0x0f, 0x58, 0xc3) },
  { name: "mulss, addss", count: 2, emit: bytes(0xf3, 0x0f, 0x59, 0xc2, 0xf3, 0x0f, 0x58, 0xc2) },
  { name: "mulpd, addpd", count: 2, emit: bytes(0x66, 0x0f, 0x59, 0xc1, 0x66, 0x0f, 0x58, 0xc1) },
  { name: "mulps, addps", count: 2, emit: bytes(0x0f, 0x59, 0xd2, 0x0f, 0x58, 0xd2), before: singles },
  { name: "divsd", emit: bytes(0xf2, 0x0f, 0x5e, 0xc3) },
  { name: "sqrtsd", emit: bytes(0xf2, 0x0f, 0x51, 0xc1) },
  { name: "minsd", emit: bytes(0xf2, 0x0f, 0x5d, 0xc1) },
  { name: "movapd, cmpltsd", count: 2, emit: bytes(0x66, 0x0f, 0x28, 0xc3, 0xf2, 0x0f, 0xc2, 0xc1, 0x01) },
  { name: "cvtss2sd", emit: bytes(0xf3, 0x0f, 0x5a, 0xc2) },
  { name: "cvtsd2ss", emit: bytes(0xf2, 0x0f, 0x5a, 0xc1) },
  { name: "cvtsi2sd 64", emit: bytes(0xf2, 0x48, 0x0f, 0x2a, 0xc1) },
  { name: "cvtsi2ss 32", emit: bytes(0xf3, 0x0f, 0x2a, 0xc1) },
  { name: "cvtsd2si", emit: bytes(0xf2, 0x0f, 0x2d, 0xd1) },
  { name: "cvttsd2si", emit: bytes(0xf2, 0x0f, 0x2c, 0xd1) },
  { name: "cvtdq2pd", emit: bytes(0xf3, 0x0f, 0xe6, 0xc2) },
  { name: "roundsd", emit: bytes(0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x01) },
  { name: "ucomisd", emit: bytes(0x66, 0x0f, 0x2e, 0xc1) },
  {
    name: "addsd, rounding up",
    before: ldmxcsr(0x5fa0),
    emit: bytes(0xf2, 0x0f, 0x58, 0xc1),
  },
  {
    name: "fld, fmul, fadd, fstp",
    count: 4,
    emit: bytes(0xdd, 0x06, 0xdc, 0x4e, 0x10, 0xdc, 0x46, 0x08, 0xdd, 0x5e, 0x30),
  },
  { name: "fsqrt", before: bytes(0xdb, 0xe3, 0xdd, 0x06), emit: bytes(0xd9, 0xfa), passes: 30_000 },
];

/** Values whose sums are exact, and no inexact result before. */
function clearPrecision(a: Assembler): void {
  a.mov(rax, 3);
  bytes(0xf2, 0x48, 0x0f, 0x2a, 0xd8, 0xf2, 0x48, 0x0f, 0x2a, 0xc0)(a);
  ldmxcsr(0x1f80)(a);
}

/** Squares of ones stay ones: XMM2 neither overflows nor fades. */
function singles(a: Assembler): void {
  bytes(0x0f, 0x57, 0xd2)(a);
  ldmxcsr(0x1fa0)(a);
}

function kindProgram({ name, emit, count = 1, before, passes = INSTRUCTION_PASSES }: Kind): InstructionGuest {
  return program(
    name,
    "instructions",
    UNROLLED * count,
    passes,
    (a) => {
      prepare(a);
      before?.(a);
    },
    (a) => {
      for (let i = 0; i < UNROLLED; i++) emit(a);
    },
  );
}

export function instructionGuests(): InstructionGuest[] {
  return [...STRINGS.map(stringProgram), ...KINDS.map(kindProgram)];
}
