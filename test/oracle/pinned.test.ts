/**
 * What the oracle found wrong in the engine, each as one case with the outcome that the host's CPU had and the manual
 * asks for. Run on the engine alone, so on any host.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { GPR_NAMES } from "../../src/x86/cpu-state.js";
import { Batch } from "./batch.js";
import { Case, FX, RFLAGS } from "./case.js";
import { fieldNamed } from "./compare.js";
import { EngineRunner } from "./engine.js";
import { DS, FRAME_AT, INPUT, LDT, SS, WINDOW_START, localSelector, viewMiddle } from "./layout.js";

const BP = 3n;
const UD = 6n;
const GP = 13n;
const PF = 14n;
const AC = 17n;
const PAGE_FAULT_USER_READ = 5n;
const FLAGS = RFLAGS.FIXED | RFLAGS.IF;
const MIDDLE = BigInt(viewMiddle(0));
const MEMORY = BigInt(WINDOW_START);

interface Pinned {
  /** The instruction's bytes, hexadecimal. */
  code: string;
  mode?: 64 | 32;
  flags?: number;
  /** Registers before, by name. */
  registers?: Partial<Record<(typeof GPR_NAMES)[number], bigint>>;
  /** More of the state before. */
  before?: (c: Case) => void;
  /** Fields of the result by name, see `compare.ts`. */
  expected: Record<string, bigint>;
}

const engine = new EngineRunner(createWasmEngine());
after(() => engine.dispose());

function pin(name: string, pinned: Pinned): void {
  test(name, () => {
    const batch = new Batch();
    const form = { name, mnemonic: name, covers: [], mode: pinned.mode ?? 64, build };
    function build(c: Case): void {
      c.code.push(...Buffer.from(pinned.code, "hex"));
      c.rflags = pinned.flags ?? FLAGS;
      c.memory.fill(0);
      for (const [register, value] of Object.entries(pinned.registers ?? {}))
        c.setRegister(GPR_NAMES.indexOf(register as (typeof GPR_NAMES)[number]), value);
      pinned.before?.(c);
    }
    batch.add(form, 0, new Case(), 1);
    const result = engine.run(batch);
    for (const [field, value] of Object.entries(pinned.expected))
      assert.equal(fieldNamed(result, field), value, field);
  });
}

pin("R6.1 a 32-bit address in 64-bit mode is exact whatever the registers hold above it", {
  code: "67458b18", // mov r11d, [r8d]
  registers: { r8: 0x062034f000000000n | MEMORY },
  before: (c) => c.memory.set([0x78, 0x56, 0x34, 0x12]),
  expected: { vector: BP, r11: 0x12345678n },
});

pin("R6.1 BT with a 32-bit address adds the bit offset before it cuts the address", {
  code: "67480fab03", // bts [ebx], rax
  registers: { rbx: MEMORY + 8n, rax: -(1n << 35n) - 64n + 5n },
  expected: { vector: BP, "mem+0": 0x20n },
});

pin("R6.1 writes through CS raise #GP in flat 32-bit code", {
  code: "2e8803", // mov cs:[ebx], al
  mode: 32,
  registers: { rbx: MEMORY },
  expected: { vector: GP, error: 0n },
});

pin("R6.1 EMMS leaves TOP 0 and all registers empty", {
  code: "0f77",
  before: (c) => {
    c.fx.setUint16(FX.FSW, 5 << 11, true);
    c.fx.setUint8(FX.FTW, 0xff);
  },
  expected: { vector: BP, fsw: 0n, ftw: 0n },
});

for (const [name, code, mode] of [
  ["PUSHF", "9c", 64],
  ["POPF", "9d", 64],
  ["PUSH FS", "0fa0", 64],
  ["PUSHA", "60", 32],
  ["POPA", "61", 32],
] as const)
  pin(`R6.1 ${name} checks the alignment of the stack`, {
    code,
    mode,
    flags: FLAGS | RFLAGS.AC,
    registers: { rsp: MIDDLE + 1n },
    expected: { vector: AC, error: 0n, rsp: MIDDLE + 1n },
  });

pin("R6.1 MOV of an absolute address checks alignment", {
  code: `48a3${Buffer.from(new BigUint64Array([MEMORY + 1n]).buffer).toString("hex")}`,
  flags: FLAGS | RFLAGS.AC,
  expected: { vector: AC, error: 0n, "mem+0": 0n },
});

pin("R6.1 ENTER with 16-bit operands keeps the upper half of EBP", {
  code: "66c8000000",
  mode: 32,
  registers: { rsp: MIDDLE, rbp: 0x12345678n },
  expected: { vector: BP, rbp: 0x12340000n | ((MIDDLE - 2n) & 0xffffn), rsp: MIDDLE - 2n },
});

pin("R6.1 XLAT adds the low words of RBX and AL where addresses have 32 bits", {
  code: "67d7",
  registers: { rax: 0xbcn, rbx: 0x80f6_a860_0000_0000n | (MEMORY - 0xbcn) },
  expected: { vector: BP, rax: 0n },
});

/** A segment that ends in the middle of the window. */
const LIMITED = LDT.findIndex((segment) => segment.kind === "data" && segment.big);

pin("R6.1 MASKMOVDQU keeps to the segment's limit", {
  code: "660ff7c1", // maskmovdqu xmm0, xmm1
  mode: 32,
  registers: { rdi: BigInt(LDT[LIMITED].limit - 14) },
  before: (c) => c.setSegment(DS, localSelector(LIMITED), BigInt(LDT[LIMITED].base)),
  expected: { vector: GP, error: 0n },
});

pin("R6.1 MASKMOVQ through CS raises #GP in flat 32-bit code", {
  code: "2e0ff7c1", // cs: maskmovq mm0, mm1
  mode: 32,
  registers: { rdi: MEMORY },
  expected: { vector: GP, error: 0n },
});

pin("R6.1 ENTER on a 16-bit stack gives EBP the upper half of ESP", {
  code: "c8000000",
  mode: 32,
  registers: { rsp: 0x12340000n | BigInt(viewMiddle(0) - LDT[1].base) },
  before: (c) => c.setSegment(SS, localSelector(1), BigInt(LDT[1].base)),
  // What IRET leaves above SP is the harness's.
  expected: {
    vector: BP,
    rbp: ((BigInt(INPUT) + BigInt(FRAME_AT)) & 0xffff0000n) | BigInt(viewMiddle(0) - LDT[1].base - 4),
  },
});

pin("R6.1 a control register that does not exist is undefined before it is privileged", {
  code: "440f22f8", // mov cr15, rax
  expected: { vector: UD },
});

pin("R6.1 REP INS of nothing asks for the port all the same", {
  code: "f36c",
  registers: { rcx: 0n },
  expected: { vector: GP, error: 0n },
});

pin("R6.1 an operand across the last address is no canonical fault: its first page is looked at", {
  code: "488b03", // mov rax, [rbx]
  registers: { rbx: -3n },
  expected: { vector: PF, error: PAGE_FAULT_USER_READ & ~1n, cr2: (1n << 64n) - 3n },
});

pin("R6.1 a sum next to the largest number is inexact though the error of its parts would overflow", {
  code: "f30f5cc1", // subss xmm0, xmm1
  before: (c) => {
    c.fx.setUint32(FX.XMM0, 0x7efe0007, true);
    c.fx.setUint32(FX.XMM0 + 16, 0x7f7fffff, true);
  },
  expected: { vector: BP, mxcsr: 0x1fa0n },
});
