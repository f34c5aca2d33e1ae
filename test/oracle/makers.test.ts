/**
 * Where Intel's and AMD's CPUs differ, or the manual lets them, and recorded vectors do not show it: what each maker's do,
 * by hand. The engine does what Intel's do; a host of either maker is held to what stands here of it.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { FX, RFLAGS } from "./case.js";
import type { Case } from "./case.js";
import { fieldNamed } from "./compare.js";
import { EngineRunner } from "./engine.js";
import { RECORD_BYTES, WINDOW_START, viewMiddle } from "./layout.js";
import { normalise } from "./linux.js";
import { NativeRunner, nativeMissing } from "./native.js";
import { USUAL_FLAGS, pinnedBatch } from "./pinned.js";
import type { PinnedCase } from "./pinned.js";
import { hostVendor } from "./vendor.js";

const DB = 1n;
const BP = 3n;
const PF = 14n;
const AC = 17n;
const PAGE_FAULT_USER_READ = 4n;
const PAGE_FAULT_USER_WRITE = 6n;
const MEMORY = BigInt(WINDOW_START);
const MIDDLE = BigInt(viewMiddle(0));
/** The first byte of an absent page behind one that is there. */
const ABSENT = BigInt(viewMiddle(1));
const ALIGNMENT_CHECKED = USUAL_FLAGS | RFLAGS.AC;
/** What user mode's data segments have in Linux. */
const SELECTOR = 0x2bn;
const FILLED = 0xeeee_eeee_eeee_eeeen;

type Fields = Record<string, bigint>;

interface Difference extends PinnedCase {
  /** Fields of the result on Intel's CPUs, and on the engine. */
  intel: Fields;
  /** The same on AMD's. */
  amd: Fields;
}

const engine = new EngineRunner(createWasmEngine());
const compiled = new EngineRunner(createWasmEngine({ jit: "eager" }));
const missing = nativeMissing();
const native = missing === undefined ? new NativeRunner() : undefined;
after(() => {
  engine.dispose();
  compiled.dispose();
  native?.remove();
});

function holds(result: Uint8Array, expected: Fields, whose: string): void {
  normalise(new DataView(result.buffer, result.byteOffset, RECORD_BYTES));
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, fieldNamed(result, name)]));
  assert.deepEqual(found, expected, whose);
}

function differ(name: string, difference: Difference): void {
  test(`R6.1 ${name}`, () => {
    holds(engine.run(pinnedBatch(name, difference)), difference.intel, "the engine, as Intel");
    holds(compiled.run(pinnedBatch(name, difference)), difference.intel, "the engine compiled, as Intel");
  });
  test(`R6.1 ${name}: on the host's CPU`, { skip: missing ?? false }, () => {
    const expected = hostVendor() === "Intel" ? difference.intel : difference.amd;
    holds(native!.run(pinnedBatch(name, difference)), expected, hostVendor()!);
  });
}

/** Where both makers' CPUs do the same. */
const agree = (name: string, pinned: PinnedCase, both: Fields): void =>
  differ(name, { ...pinned, intel: both, amd: both });

const filled = (c: Case): void => void c.memory.fill(0xee);

differ("PUSH FS of 32 bits: Intel writes the selector alone, AMD zeros above it", {
  code: "0fa0",
  mode: 32,
  registers: { rsp: MIDDLE + 4n },
  before: filled,
  intel: { vector: BP, rsp: MIDDLE, "mem+384": (FILLED & ~0xffffn) | SELECTOR },
  amd: { vector: BP, rsp: MIDDLE, "mem+384": (FILLED & ~0xffff_ffffn) | SELECTOR },
});

agree(
  "PUSH FS of 64 bits writes zeros above the selector",
  { code: "0fa0", registers: { rsp: MIDDLE + 8n }, before: filled },
  { vector: BP, rsp: MIDDLE, "mem+384": SELECTOR },
);

differ("PUSH FS of 32 bits at an even address: Intel's 16-bit store is aligned, AMD's of 32 bits is not", {
  code: "0fa0",
  mode: 32,
  flags: ALIGNMENT_CHECKED,
  registers: { rsp: MIDDLE + 6n },
  intel: { vector: BP, rsp: MIDDLE + 2n, "mem+384": SELECTOR << 16n },
  amd: { vector: AC, error: 0n, rsp: MIDDLE + 6n, "mem+384": 0n },
});

agree(
  "PUSH FS of 32 bits at an odd address raises #AC",
  { code: "0fa0", mode: 32, flags: ALIGNMENT_CHECKED, registers: { rsp: MIDDLE + 5n } },
  { vector: AC, error: 0n, rsp: MIDDLE + 5n },
);

agree(
  "PUSH FS of 64 bits that is not aligned to 8 raises #AC",
  { code: "0fa0", flags: ALIGNMENT_CHECKED, registers: { rsp: MIDDLE + 10n } },
  { vector: AC, error: 0n, rsp: MIDDLE + 10n },
);

differ("PUSH FS of 32 bits before an absent page: Intel does not touch it, AMD does", {
  code: "0fa0",
  mode: 32,
  registers: { rsp: ABSENT + 2n },
  before: filled,
  intel: { vector: BP, rsp: ABSENT - 2n, "mem+376": (FILLED & ~(0xffffn << 48n)) | (SELECTOR << 48n) },
  amd: { vector: PF, error: PAGE_FAULT_USER_WRITE, cr2: ABSENT, rsp: ABSENT + 2n, "mem+376": FILLED },
});

agree(
  "PUSH FS of 64 bits into an absent page faults and writes nothing",
  { code: "0fa0", registers: { rsp: ABSENT + 6n }, before: filled },
  { vector: PF, error: PAGE_FAULT_USER_WRITE, cr2: ABSENT, rsp: ABSENT + 6n, "mem+376": FILLED },
);

/** Between elements RF is set: the instruction has not ended (SDM vol. 3B §18.3.1.1). AMD sets it at faults only. */
const BEFORE = USUAL_FLAGS | RFLAGS.CF;
const EQUAL = USUAL_FLAGS | RFLAGS.ZF | RFLAGS.PF;

differ("REPE CMPSB that faults after an element: Intel's flags are as before, AMD's the element's", {
  code: "f3a6",
  flags: BEFORE,
  registers: { rcx: 3n, rsi: ABSENT - 1n, rdi: MEMORY },
  intel: { vector: PF, cr2: ABSENT, rcx: 2n, rsi: ABSENT, rflags: BigInt(BEFORE | RFLAGS.RF) },
  amd: { vector: PF, cr2: ABSENT, rcx: 2n, rsi: ABSENT, rflags: BigInt(EQUAL | RFLAGS.RF) },
});

// The manual restores flags "when a fault occurs" and is silent on traps; the engine treats both alike.
differ("REPE CMPSB that is stepped: Intel's flags between elements are as before, AMD's the element's", {
  code: "f3a6",
  flags: BEFORE | RFLAGS.TF,
  registers: { rcx: 3n, rsi: MEMORY, rdi: MEMORY + 16n },
  intel: { vector: DB, rcx: 2n, rdi: MEMORY + 17n, rflags: BigInt(BEFORE | RFLAGS.TF | RFLAGS.RF) },
  amd: { vector: DB, rcx: 2n, rdi: MEMORY + 17n, rflags: BigInt(EQUAL | RFLAGS.TF) },
});

differ("REPNE SCASB that is stepped: Intel's flags between elements are as before, AMD's the element's", {
  code: "f2ae",
  flags: USUAL_FLAGS | RFLAGS.TF | RFLAGS.ZF,
  registers: { rcx: 3n, rax: 1n, rdi: MEMORY },
  before: (c) => c.memory.fill(2),
  intel: { vector: DB, rcx: 2n, rflags: BigInt(USUAL_FLAGS | RFLAGS.TF | RFLAGS.ZF | RFLAGS.RF) },
  amd: {
    vector: DB,
    rcx: 2n,
    rflags: BigInt(USUAL_FLAGS | RFLAGS.TF | RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.SF),
  },
});

agree(
  "REPE CMPSB that is stepped has its flags after the last element",
  { code: "f3a6", flags: BEFORE | RFLAGS.TF, registers: { rcx: 1n, rsi: MEMORY, rdi: MEMORY + 16n } },
  { vector: DB, rcx: 0n, rflags: BigInt(EQUAL | RFLAGS.TF) },
);

const OLD = 0x1122_3344_5566_7788n;
for (const [bits, load, store] of [
  [16, "660f38f003", "660f38f103"],
  [32, "0f38f003", "0f38f103"],
  [64, "480f38f003", "480f38f103"],
] as const) {
  const start = ABSENT - BigInt(bits / 16);
  agree(
    `MOVBE of ${bits} bits from a page's last bytes on reports the absent page and loads nothing`,
    { code: load, registers: { rbx: start, rax: OLD } },
    { vector: PF, error: PAGE_FAULT_USER_READ, cr2: ABSENT, rax: OLD },
  );
  agree(
    `MOVBE of ${bits} bits to a page's last bytes on reports the absent page and stores nothing`,
    { code: store, registers: { rbx: start, rax: OLD }, before: filled },
    { vector: PF, error: PAGE_FAULT_USER_WRITE, cr2: ABSENT, "mem+376": FILLED },
  );
}

const singles = (c: Case, register: number, lanes: readonly number[]): void =>
  lanes.forEach((lane, i) => c.fx.setUint32(FX.XMM0 + 16 * register + 4 * i, lane, true));
const doubles = (c: Case, register: number, lanes: readonly bigint[]): void =>
  lanes.forEach((lane, i) => c.fx.setBigUint64(FX.XMM0 + 16 * register + 8 * i, lane, true));
const ONE = 0x3f80_0000;
const NAN = 0x7fc0_0000;
const SIGNALLING = 0x7f80_0000;
const ONE_64 = 0x3ff0_0000_0000_0000n;
const NAN_64 = 0x7ff8_0000_0000_0000n;
const QUIET_MXCSR = 0x1f80n;

// Vol. 2, DPPS: products of both operands, sums of the pairs, sum of the sums; vol. 1 table 4-7: the first operand's NaN.
for (const [name, a, b, expected, mxcsr] of [
  [
    "all of both operands",
    [NAN + 1, NAN + 2, NAN + 3, NAN + 4],
    [NAN + 17, NAN + 18, NAN + 19, NAN + 20],
    NAN + 1,
    QUIET_MXCSR,
  ],
  [
    "three of the second operand",
    [ONE, ONE, ONE, ONE],
    [ONE, NAN + 18, NAN + 19, NAN + 20],
    NAN + 18,
    QUIET_MXCSR,
  ],
  [
    "the upper pair, one signalling",
    [ONE, ONE, SIGNALLING + 5, NAN + 4],
    [ONE, ONE, ONE, ONE],
    NAN + 5,
    QUIET_MXCSR | 1n,
  ],
  ["one in each pair", [ONE, NAN + 2, ONE, ONE], [ONE, ONE, ONE, NAN + 20], NAN + 2, QUIET_MXCSR],
] as const)
  agree(
    `DPPS of several NaNs has the payload of the first: ${name}`,
    {
      code: "660f3a40c1f1", // dpps xmm0, xmm1, f1h
      before: (c) => {
        c.mxcsr = Number(QUIET_MXCSR);
        singles(c, 0, a);
        singles(c, 1, b);
      },
    },
    { vector: BP, xmm0l: BigInt(expected), xmm0h: 0n, mxcsr },
  );

for (const [name, a, b, expected] of [
  ["all of both operands", [NAN_64 + 1n, NAN_64 + 2n], [NAN_64 + 17n, NAN_64 + 18n], NAN_64 + 1n],
  ["the second operand's and the first's", [ONE_64, NAN_64 + 2n], [NAN_64 + 17n, NAN_64 + 18n], NAN_64 + 17n],
] as const)
  agree(
    `DPPD of several NaNs has the payload of the first: ${name}`,
    {
      code: "660f3a41c132", // dppd xmm0, xmm1, 32h
      before: (c) => {
        c.mxcsr = Number(QUIET_MXCSR);
        doubles(c, 0, a);
        doubles(c, 1, b);
      },
    },
    { vector: BP, xmm0l: 0n, xmm0h: expected, mxcsr: QUIET_MXCSR },
  );

// The manual leaves it to the processor whether moves of 16 bytes that need no alignment are checked (vol. 2, MOVUPS).
for (const [name, code] of [
  ["MOVUPS from memory", "0f1003"],
  ["MOVUPD from memory", "660f1003"],
  ["MOVDQU from memory", "f30f6f03"],
  ["MOVDQU to memory", "f30f7f03"],
  ["LDDQU", "f20ff003"],
  ["PCMPESTRI", "660f3a610300"],
  ["PCMPESTRM", "660f3a600300"],
  ["PCMPISTRI", "660f3a630300"],
  ["PCMPISTRM", "660f3a620300"],
] as const)
  for (const offset of [1n, 4n, 8n])
    differ(`${name} at ${offset}, where alignment is checked: Intel takes it, AMD raises #AC`, {
      code,
      flags: ALIGNMENT_CHECKED,
      registers: { rbx: MEMORY + offset },
      intel: { vector: BP },
      amd: { vector: AC, error: 0n },
    });

const POPPED = { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rbp: 5n, rsi: 6n, rdi: 7n };

// A fault restores the state before the instruction (vol. 3A §6.5), of which AMD takes RSP alone.
differ("POPA that faults at its fifth value: Intel's registers are as before, AMD has popped four", {
  code: "61",
  mode: 32,
  registers: { ...POPPED, rsp: ABSENT - 16n },
  before: filled,
  intel: { vector: PF, error: PAGE_FAULT_USER_READ, cr2: ABSENT, ...POPPED, rsp: ABSENT - 16n },
  amd: {
    ...{ vector: PF, error: PAGE_FAULT_USER_READ, cr2: ABSENT, ...POPPED, rsp: ABSENT - 16n },
    ...{ rdi: 0xeeee_eeeen, rsi: 0xeeee_eeeen, rbp: 0xeeee_eeeen },
  },
});

agree(
  "PUSHA that faults at its fifth value leaves the stack pointer",
  { code: "60", mode: 32, registers: { ...POPPED, rsp: BigInt(viewMiddle(2)) + 16n } },
  {
    vector: PF,
    error: PAGE_FAULT_USER_WRITE,
    cr2: BigInt(viewMiddle(2)) - 4n,
    rsp: BigInt(viewMiddle(2)) + 16n,
  },
);
