/**
 * What the oracle found wrong in the engine, each as one case with the outcome that the host's CPU had and the manual
 * asks for. Run on the engine alone, so on any host.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { FX, RFLAGS } from "./case.js";
import type { Case } from "./case.js";
import { fieldNamed } from "./compare.js";
import { EngineRunner } from "./engine.js";
import { DS, FRAME_AT, INPUT, LDT, SS, WINDOW_START, localSelector, viewMiddle } from "./layout.js";
import { USUAL_FLAGS as FLAGS, pinnedBatch } from "./pinned.js";
import type { Pinned } from "./pinned.js";

const BP = 3n;
const UD = 6n;
const GP = 13n;
const PF = 14n;
const AC = 17n;
const XM = 19n;
const PAGE_FAULT_USER_READ = 5n;
const MIDDLE = BigInt(viewMiddle(0));
const MEMORY = BigInt(WINDOW_START);
/** The first byte of an absent page behind one that is there, and of one that is read only. */
const ABSENT = BigInt(viewMiddle(1));
const READ_ONLY = BigInt(viewMiddle(3));
const PAGE_FAULT_USER_WRITE = 6n;
const PROTECTED_USER_WRITE = 7n;
const TOP_5 = 5 << 11;
const NOT_CANONICAL = 0x8000_0000_0000_0000n;

const engine = new EngineRunner(createWasmEngine());
after(() => engine.dispose());

function pin(name: string, pinned: Pinned): void {
  test(name, () => {
    const result = engine.run(pinnedBatch(name, pinned));
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

pin("R6.1 misalignment is found before an absent page", {
  code: "8b03", // mov eax, [rbx]
  flags: FLAGS | RFLAGS.AC,
  registers: { rbx: ABSENT + 1n },
  expected: { vector: AC, error: 0n },
});

pin("R6.1 misalignment of an x87 operand is found before an absent page", {
  code: "d903", // fld dword [rbx]
  flags: FLAGS | RFLAGS.AC,
  registers: { rbx: ABSENT + 1n },
  expected: { vector: AC, error: 0n },
});

pin("R6.1 an address that is not canonical is found before misalignment", {
  code: "8b03",
  flags: FLAGS | RFLAGS.AC,
  registers: { rbx: NOT_CANONICAL + 1n },
  expected: { vector: GP, error: 0n },
});

const withTop = (c: Case): void => {
  c.fx.setUint16(FX.FSW, TOP_5, true);
  c.fx.setUint8(FX.FTW, 0x12);
};

for (const [name, code] of [
  ["MOVQ", "0f7f03"],
  ["MOVD", "0f7e03"],
] as const)
  pin(`R6.1 ${name} of an MMX register to memory that faults has set TOP, and no tags`, {
    code,
    registers: { rbx: ABSENT },
    before: withTop,
    expected: { vector: PF, error: PAGE_FAULT_USER_WRITE, cr2: ABSENT, fsw: 0n, ftw: 0x12n },
  });

pin("R6.1 MOVQ from memory that faults leaves the x87 state alone", {
  code: "0f6f03",
  registers: { rbx: ABSENT },
  before: withTop,
  expected: { vector: PF, fsw: BigInt(TOP_5), ftw: 0x12n },
});

pin("R6.1 MASKMOVQ that faults has set TOP and tags", {
  code: "0ff7c1",
  registers: { rdi: ABSENT },
  before: withTop,
  expected: { vector: PF, cr2: ABSENT, fsw: 0n, ftw: 0xffn },
});

pin("R6.1 a conversion to MMX that raises #XM has set TOP and tags", {
  code: "0f2dc1", // cvtps2pi mm0, xmm1
  before: (c) => {
    withTop(c);
    c.mxcsr = 0;
    c.fx.setUint32(FX.XMM0 + 16, 0x7fc00000, true);
  },
  expected: { vector: XM, fsw: 0n, ftw: 0xffn },
});

pin("R6.1 a conversion to MMX whose operand faults leaves the x87 state alone", {
  code: "0f2d03", // cvtps2pi mm0, [rbx]
  registers: { rbx: ABSENT },
  before: withTop,
  expected: { vector: PF, fsw: BigInt(TOP_5), ftw: 0x12n },
});

for (const [name, code] of [
  ["FIST", "db13"],
  ["FST", "d913"],
  ["FBSTP", "df33"],
] as const)
  pin(`R6.1 ${name} that an unmasked exception stops asks for no memory`, {
    code,
    registers: { rbx: ABSENT },
    // An empty register: stack underflow, which is invalid.
    before: (c) => {
      c.fx.setUint16(FX.FCW, 0x37e, true);
      c.fx.setUint16(FX.FSW, 0, true);
      c.fx.setUint8(FX.FTW, 0);
    },
    expected: { vector: BP, fsw: 0x80c1n },
  });

pin("R6.1 FISTP whose operand faults without an exception leaves the stack alone", {
  code: "db1b",
  registers: { rbx: ABSENT },
  before: (c) => {
    c.fx.setUint16(FX.FSW, 0, true);
    c.fx.setUint8(FX.FTW, 1);
  },
  expected: { vector: PF, error: PAGE_FAULT_USER_WRITE, cr2: ABSENT, fsw: 0n, ftw: 1n },
});

pin("R6.1 FCOMI keeps C1", {
  code: "dbf1",
  before: (c) => {
    c.fx.setUint16(FX.FSW, 0x200, true);
    c.fx.setUint8(FX.FTW, 0xff);
    for (const i of [0, 1]) {
      c.fx.setBigUint64(FX.ST0 + 16 * i, 1n << 63n, true);
      c.fx.setUint16(FX.ST0 + 16 * i + 8, 0x3fff, true);
    }
  },
  expected: { vector: BP, fsw: 0x200n },
});

pin("R6.1 MASKMOVDQU looks at its upper half first", {
  code: "660ff7c1",
  registers: { rdi: READ_ONLY },
  expected: { vector: PF, error: PROTECTED_USER_WRITE, cr2: READ_ONLY + 8n },
});

pin("R6.1 MASKMOVDQU checks the alignment of its halves", {
  code: "660ff7c1",
  flags: FLAGS | RFLAGS.AC,
  registers: { rdi: MEMORY + 4n },
  expected: { vector: AC, error: 0n },
});

pin("R6.1 an indirect CALL to an address that is not canonical has written the return address, RSP stands", {
  code: "ffd3", // call rbx
  registers: { rsp: MEMORY + 8n, rbx: NOT_CANONICAL },
  before: (c) => c.memory.fill(0xee, 0, 8),
  expected: { vector: GP, error: 0n, rsp: MEMORY + 8n, "mem+0": 0x10000002n },
});

pin("R6.1 FXSAVE that is not aligned raises #AC where alignment is checked", {
  code: "0fae03",
  flags: FLAGS | RFLAGS.AC,
  registers: { rbx: MEMORY + 8n },
  expected: { vector: AC, error: 0n },
});

pin("R6.1 FXSAVE that is not aligned raises #GP where alignment is not checked", {
  code: "0fae03",
  registers: { rbx: MEMORY + 8n },
  expected: { vector: GP, error: 0n },
});

pin("R6.1 ENTER checks the alignment of where the stack ends", {
  code: "c8010000", // enter 1, 0
  flags: FLAGS | RFLAGS.AC,
  registers: { rsp: MIDDLE },
  expected: { vector: AC, error: 0n, rsp: MIDDLE },
});

pin("R6.1 XRSTOR with a bad MXCSR has loaded x87 state when it raises #GP", {
  code: "0fae2b", // xrstor [rbx]
  registers: { rax: 3n, rdx: 0n, rbx: MEMORY },
  before: (c) => {
    c.memory[0] = 0x7f;
    c.memory[1] = 0x02;
    c.memory.fill(0xff, 24, 28);
    c.memory[512] = 3;
  },
  expected: { vector: GP, error: 0n, fcw: 0x27fn },
});

pin("R6.1 FXRSTOR64 makes FIP canonical and leaves FDP as it is", {
  code: "480fae0b", // fxrstor64 [rbx]
  registers: { rbx: MEMORY },
  before: (c) => {
    const area = new DataView(c.memory.buffer, c.memory.byteOffset);
    area.setBigUint64(8, 0x1234_8000_0000_0001n, true);
    area.setBigUint64(16, 0x1234_8000_0000_0002n, true);
  },
  expected: { vector: BP, fip: 0xffff_8000_0000_0001n, fdp: 0x1234_8000_0000_0002n },
});

pin("R6.1 misalignment of an SSE operand is found before the limit of the stack segment", {
  code: "0f280424", // movaps xmm0, [esp]
  mode: 32,
  registers: { rsp: BigInt(LDT[LIMITED].limit - 2) },
  before: (c) => c.setSegment(SS, localSelector(LIMITED), BigInt(LDT[LIMITED].base)),
  expected: { vector: GP, error: 0n },
});
