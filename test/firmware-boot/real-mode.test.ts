/**
 * The 16-bit boot protocol by its conformance guest, with SeaBIOS underneath: registers, segments, header fields, command
 * line, the kernel's place, and the BIOS services that set-up code calls.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { runToEnd, type RunReport } from "../../src/host/run.js";
import { SETUP_OFFSET } from "../../src/spec/linux-boot.js";
import {
  EXIT_VALUE,
  KERNEL_TEXT,
  parseReport,
  realModeGuest,
  type GuestReport,
} from "../support/real-mode-guest.js";
import { requireGuest, requireTool } from "../support/requires.js";

const MIB = 2 ** 20;
const COMMAND_LINE = "console=ttyS0 sixteen bits";

/** Runs a kernel under SeaBIOS; undefined after the test was skipped. */
async function run(
  t: TestContext,
  kernel: Uint8Array,
  options: Partial<BootOptions> = {},
): Promise<{ report: GuestReport; end: RunReport["end"] } | undefined> {
  const seabios = await requireGuest(t, "seabios");
  if (!seabios) return undefined;
  const plan = buildPlan({
    kernel: { name: "guest", bytes: kernel },
    bios: { name: "seabios", bytes: await readFile(seabios.files["bios"]) },
    memory: 64 * MIB,
    commandLine: COMMAND_LINE,
    clock: { deterministic: { nsPerInstruction: 10 } },
    ...options,
  });
  const blocks: Uint8Array[] = [];
  const { end } = runToEnd({
    plan,
    engine: createWasmEngine(),
    console: {
      write: (bytes) => void blocks.push(bytes.slice()),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => assert.fail("deterministic time never waits"),
    maxInstructions: 1e9,
  });
  return { report: parseReport(Buffer.concat(blocks)), end };
}

test("R1.2 16-bit entry, protocol 2.15: registers, header, command line, memory map, BIOS services", async (t) => {
  const initrd = { name: "initrd", bytes: new Uint8Array(5000).fill(7) };
  const ran = await run(t, realModeGuest(), { initrd });
  if (ran === undefined) return;
  const { report, end } = ran;
  const { registers, header, bios, e820 } = report;
  assert.deepEqual([end.route, end.status], ["debug-exit", (EXIT_VALUE << 1) | 1]);
  const segment = registers.ds;
  assert.deepEqual(
    [registers.es, registers.ss, registers.fs, registers.gs, registers.cs],
    [segment, segment, segment, segment, segment + 0x20],
    "DS = ES = SS = FS = GS, CS 0x20 above",
  );
  assert.equal(registers.flags & 0x600, 0, "interrupts off, direction flag clear");
  assert.equal(header.u8(SETUP_OFFSET.type_of_loader), 0xff);
  assert.equal(header.u8(SETUP_OFFSET.loadflags) & 0x81, 0x81, "LOADED_HIGH and CAN_USE_HEAP");
  assert.equal(
    header.u16(SETUP_OFFSET.heap_end_ptr) + 0x200,
    registers.sp,
    "the heap ends where the stack begins",
  );
  assert.equal(header.u32(SETUP_OFFSET.ramdisk_size), 5000);
  const image = header.u32(SETUP_OFFSET.ramdisk_image);
  assert.ok(
    e820.some(({ start, size, type }) => type === 1 && image >= start && image + 5000 <= start + size),
  );
  assert.equal(report.commandLine, COMMAND_LINE);
  assert.equal(report.kernel, KERNEL_TEXT, "INT 15h AH=87h reads the kernel at code32_start");
  assert.deepEqual(bios, { baseKib: 639, videoMode: 3, columns: 80, keyWaits: false, diskError: true });
});

test("R1.2 16-bit entry: INT 15h E820 shows the machine's RAM, with what firmware keeps for itself", async (t) => {
  const ran = await run(t, realModeGuest());
  if (ran === undefined) return;
  const { e820 } = ran.report;
  assert.deepEqual(e820[0], { start: 0, size: 0x9fc00, type: 1 });
  const high = e820.find(({ start }) => start === MIB);
  assert.equal(high?.type, 1);
  const top = e820.filter(({ start, size }) => start >= MIB && start + size <= 64 * MIB);
  assert.equal(
    top.reduce((sum, { size }) => sum + size, 0),
    63 * MIB,
    "RAM from 1 MiB on and SeaBIOS' tables at its end are all there is",
  );
});

for (const protocol of [0x200, 0x201, 0x202, 0x203, 0x204, 0x206, 0x20a]) {
  test(`R1.2 16-bit entry, protocol ${hexVersion(protocol)}: what this version has, and nothing it lacks`, async (t) => {
    const kernel = realModeGuest({ protocol });
    const ran = await run(t, kernel);
    if (ran === undefined) return;
    const { registers, header, commandLine } = ran.report;
    assert.equal(commandLine, COMMAND_LINE);
    const high = protocol >= 0x202;
    assert.equal(registers.sp, high ? 0xe000 : 0x9800);
    if (!high) assert.equal(registers.ds, 0x9000, "before 2.02 the set-up code must be at 0x90000");
    if (protocol >= 0x201) assert.equal(header.u16(SETUP_OFFSET.heap_end_ptr), registers.sp - 0x200);
    else assert.equal(header.u16(SETUP_OFFSET.heap_end_ptr), 0, "2.00 has no heap_end_ptr");
    if (!high) assert.equal(header.u32(SETUP_OFFSET.cmd_line_ptr), 0, "no cmd_line_ptr before 2.02");
    assert.equal(ran.report.kernel, KERNEL_TEXT);
  });
}

test("R1.2 16-bit entry: a zImage is loaded at 0x10000, its set-up code at 0x90000", async (t) => {
  const ran = await run(
    t,
    realModeGuest({ protocol: 0x204, fields: { loadflags: 0, code32_start: 0x1000 } }),
  );
  if (ran === undefined) return;
  assert.equal(ran.report.registers.ds, 0x9000);
  assert.equal(ran.report.header.u8(SETUP_OFFSET.loadflags) & 1, 0);
});

test("R1.2 16-bit entry: with a VGA BIOS the screen has what was printed by INT 10h", async (t) => {
  const seabios = await requireGuest(t, "seabios");
  if (!seabios) return;
  const vgaRom = { name: "vgabios", bytes: await readFile(seabios.files["vgabios"]) };
  const ran = await run(t, realModeGuest(), { vgaRom });
  if (ran === undefined) return;
  assert.equal(ran.report.bios.videoMode, 3);
});

function hexVersion(protocol: number): string {
  return `${protocol >> 8}.${String(protocol & 0xff).padStart(2, "0")}`;
}

test("R1.2 16-bit entry: QEMU enters the same guest alike, which proves the guest", async (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  if (!qemu) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-real-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const kernel = path.join(folder, "guest");
  const serial = path.join(folder, "serial");
  writeFileSync(kernel, realModeGuest());
  const machine = [
    "-M",
    "pc",
    "-accel",
    "tcg",
    "-m",
    "64",
    "-display",
    "none",
    "-no-reboot",
    "-nodefaults",
    "-vga",
    "std",
  ];
  const guest = ["-kernel", kernel, "-append", COMMAND_LINE, "-serial", `file:${serial}`];
  const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
  const ran = spawnSync(qemu, [...machine, ...guest, ...exit], { timeout: 30_000, encoding: "utf8" });
  assert.equal(ran.status, (EXIT_VALUE << 1) | 1, ran.stderr);
  const { registers, commandLine, kernel: text, bios, e820 } = parseReport(readFileSync(serial));
  const { ds } = registers;
  const segments = [registers.es, registers.ss, registers.fs, registers.gs, registers.cs];
  assert.deepEqual(segments, [ds, ds, ds, ds, ds + 0x20]);
  assert.equal(registers.flags & 0x600, 0);
  assert.equal(commandLine, COMMAND_LINE);
  assert.equal(text, KERNEL_TEXT);
  assert.deepEqual(bios, { baseKib: 639, videoMode: 3, columns: 80, keyWaits: false, diskError: true });
  assert.deepEqual(e820[0], { start: 0, size: 0x9fc00, type: 1 });
});
