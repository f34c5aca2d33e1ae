/** A kernel's symbols and log, read from the memory of a machine whose console shows nothing; and what memory costs that holds none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/diagnose/diagnose.js";
import { diagnosisLines } from "../../src/diagnose/text.js";
import { logLineText } from "../../src/diagnose/log/kernel-log.js";
import { readLinuxLog } from "../../src/diagnose/log/linux-log.js";
import { readMsgbuf } from "../../src/diagnose/log/msgbuf.js";
import { addressSpace } from "../../src/diagnose/page-tables.js";
import { findLinuxKernel } from "../../src/diagnose/symbols/linux-kernel.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { plainMemory } from "../support/guest-memory.js";
import { kernelPlan, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { Random, randomBytes } from "../support/random.js";

const MIB = 2 ** 20;
/** The kernel has panicked by then, without a root file system. */
const ENOUGH = 5e8;
const PAGE = 4096;
/** It takes a hundredth of this; without a bound twice as long. */
const SOON_MS = 4000;
/** Characters of a line of a diagnosis, whatever a guest has in its log. */
const LONGEST_LINE = 20_000;
const LINEAR = { paging: "4-level", root: PAGE } as const;

/** A kernel that nobody hears; its entry is the ELF file's, which spares it the decompression. */
async function silentKernel(t: Parameters<typeof kernelPlan>[0]): Promise<Machine | undefined> {
  const plan = await kernelPlan(t, {
    vmlinux: true,
    initramfs: false,
    commandLine: `quiet console=tty0 ${WITHOUT_CRYPTO_TESTS}`,
    memory: 96 * MIB,
  });
  if (plan === undefined) return undefined;
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm"),
    console: {
      write: () => assert.fail("it is silent"),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => 0,
  });
  machine.run(ENOUGH);
  return machine;
}

test("R3.9 diagnose: symbols and log of a Linux kernel without a console are read from its memory", async (t) => {
  const machine = await silentKernel(t);
  if (machine === undefined) return;
  const { memory } = machine;
  const state = machine.cpuState(0);
  const kernel = findLinuxKernel(memory, [addressSpace(state)]);
  assert.ok(kernel, "a kernel is found");
  assert.ok(kernel.symbols.size > 50_000);
  assert.match(kernel.banner ?? "", /^Linux version 6\.1\.\d+-\d+-cloud-amd64 /);
  // A kernel that has given up waits in a delay, so many bytes behind the function's beginning.
  assert.match(kernel.symbols.at(state.rip)?.name ?? "", /^delay_|^panic$|^__const_udelay$|touch/);
  assert.equal(kernel.symbols.at(kernel.symbols.find("start_kernel")! + 4n)?.name, "start_kernel");
  const log = readLinuxLog(memory, kernel);
  assert.ok(log, "a log is found");
  const lines = log.lines.map(logLineText);
  assert.match(lines[0], /^\[ {4}0\.000000\] Linux version 6\.1/);
  assert.ok(lines.some((line) => line.endsWith("] Command line: quiet console=tty0 cryptomgr.notests=1")));
  assert.match(lines.at(-1)!, /end Kernel panic - not syncing: VFS: Unable to mount root fs/);
  fuzz(machine, kernel.banner!);
  machine.dispose();
});

/** Bytes changed at random in what a kernel left: never an error, never long. */
function fuzz(machine: Machine, banner: string): void {
  const { memory } = machine;
  const random = new Random(21);
  const { start, size } = memory.ranges.at(-1)!;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5000 * 20 ** round; i++)
      memory.write(start + random.below(size), Uint8Array.of(random.below(256)));
    const kernel = findLinuxKernel(memory, [
      addressSpace({ cr0: 1n << 31n, cr3: 0n, cr4: 0n, efer: 1n << 10n }),
    ]);
    const found = diagnose(machine, { watch: false });
    assert.equal(found.cpus.length, 1);
    assert.ok(diagnosisLines(found).every((line) => line.length < LONGEST_LINE));
    if (kernel === undefined) continue;
    readLinuxLog(memory, kernel);
    assert.ok(kernel.banner === undefined || kernel.banner.length < banner.length * 4);
  }
}

test("R3.9 diagnose: random memory holds no kernel and no log, and costs no error", () => {
  for (let seed = 1; seed < 6; seed++) {
    const memory = plainMemory([{ start: 0, size: MIB }]);
    memory.write(0, randomBytes(seed, MIB));
    // What looks like a beginning: digits, magic numbers, the first word of VMCOREINFO.
    const random = new Random(seed);
    for (let i = 0; i < 200; i++) {
      const at = random.below(MIB - 64);
      memory.write(at, Uint8Array.from([..."0123456789"].flatMap((digit) => [digit.charCodeAt(0), 0])));
      memory.writeU32(random.below(MIB / 4) * 4, random.pick([0x063062, 0x063061]));
      memory.write(
        random.below(MIB / PAGE) * PAGE,
        new TextEncoder().encode("OSRELEASE=6\nSYMBOL(prb)=1000\n"),
      );
    }
    assert.equal(findLinuxKernel(memory, [LINEAR]), undefined);
    readMsgbuf(memory);
  }
});

test("R3.9 diagnose: memory that is nothing but beginnings of tables is given up soon", () => {
  const size = 64 * MIB;
  const memory = plainMemory([{ start: 0, size }]);
  const bytes = memory.view(0, size)!;
  const digits = Uint8Array.from([..."0123456789"].flatMap((digit) => [digit.charCodeAt(0), 0]));
  for (let at = 0; at + digits.length <= size; at += digits.length) bytes.set(digits, at);
  const begun = performance.now();
  assert.equal(findLinuxKernel(memory, [LINEAR]), undefined);
  assert.ok(performance.now() - begun < SOON_MS);
});

test("R3.9 diagnose: the message buffers of FreeBSD and NetBSD are read by their magic numbers", () => {
  const text = "Copyright (c) 1992-2025 The FreeBSD Project.\n<118>mountroot>\n";
  const freebsd = plainMemory([{ start: 0, size: MIB }]);
  freebsd.write(0x2000, new TextEncoder().encode(text));
  // msg_ptr, msg_magic, msg_size, msg_wseq behind the buffer.
  freebsd.writeU64(0x3000 - 32, 0x2000, 0xffff_f800);
  freebsd.writeU32(0x3000 - 24, 0x063062);
  freebsd.writeU32(0x3000 - 20, 0x1000 - 32);
  freebsd.writeU32(0x3000 - 16, text.length);
  assert.deepEqual(readMsgbuf(freebsd), {
    kind: "FreeBSD msgbuf",
    lines: [{ text: "Copyright (c) 1992-2025 The FreeBSD Project." }, { text: "mountroot>" }],
  });
  const netbsd = plainMemory([{ start: 0, size: MIB }]);
  [0x063061, 6, 0, 0x2000].forEach((value, i) => netbsd.writeU64(0x8000 + i * 8, value, 0));
  // The ring is full: what stands behind the next place to write is older.
  netbsd.write(0x8020, new TextEncoder().encode("\nthird"));
  netbsd.write(0x8020 + 0x2000 - 12, new TextEncoder().encode("first\nsecond"));
  assert.deepEqual(
    readMsgbuf(netbsd)?.lines.map((line) => line.text),
    ["first", "second", "third"],
  );
});
