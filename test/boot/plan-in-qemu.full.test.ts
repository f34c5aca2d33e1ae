// Plans of every boot protocol, run by QEMU's CPU: Debian's kernel reaches userspace from what our loaders put into
// memory, reads our ACPI tables and our memory map, and takes the CPU model for one that needs no mitigation.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import type { LoaderOptions } from "../../src/boot/options.js";
import { buildInitramfs, INIT_LINE } from "../../src/guests/index.js";
import { planFiles, planRom } from "../support/qemu/plan-rom.js";
import { requireGuest, requireTool } from "../support/requires.js";

const BOOT_LIMIT_MS = 90_000;
/** QEMU's microvm sometimes hangs before its console on a busy host. */
const ATTEMPTS = 3;
const MACHINE = ["-M", "microvm,acpi=off,pit=on,pic=on,rtc=on", "-accel", "tcg", "-m", "256M", "-no-reboot"];
/** QEMU's own CPU with our identity's family and model. */
const CPU = ["-cpu", "qemu64,vendor=GenuineIntel,family=6,model=28,stepping=10"];
const QUIET = ["-nodefaults", "-display", "none", "-serial", "stdio"];
const COMMAND =
  "grep -H . /sys/devices/system/cpu/vulnerabilities/*; ls /sys/bus/acpi/devices; echo sum=$((6*7))";

/** The console of one boot; undefined after the test was skipped. */
async function consoleOf(t: TestContext, loader: LoaderOptions): Promise<string | undefined> {
  const qemu = requireTool(t, "qemu-system-x86_64");
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = await requireGuest(t, "busybox");
  if (!qemu || !kernel || !busybox) return undefined;
  const initramfs = buildInitramfs({ busybox: busybox.files["busybox"], command: COMMAND, end: "reboot" });
  const plan = buildPlan({
    kernel: { name: "debian-cloud", bytes: await readFile(kernel.files["kernel"]) },
    initrd: { name: "initrd", bytes: await bytesOf(initramfs) },
    commandLine: "console=ttyS0 panic=-1",
    loader,
  });
  const folder = await mkdtemp(path.join(tmpdir(), "locore-plan-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const words: string[] = [];
  for (const { address, bytes } of planFiles(plan)) {
    const file = path.join(folder, address.toString(16));
    await writeFile(file, bytes);
    words.push("-device", `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`);
  }
  const rom = path.join(folder, "rom");
  await writeFile(rom, planRom(plan));
  for (let attempt = 1; ; attempt++) {
    const shown = await run(
      qemu,
      [...MACHINE, ...CPU, ...QUIET, "-bios", rom, ...words],
      path.join(folder, "shown"),
    );
    if (shown.includes("sum=42") || attempt === ATTEMPTS) return shown;
  }
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  return Buffer.concat(parts);
}

/** Runs QEMU and gives what its serial port showed. By a file: a reader that is late for a pipe makes the port lose characters. */
async function run(qemu: string, words: readonly string[], shown: string): Promise<string> {
  const file = await open(shown, "w");
  const child = spawn(qemu, words, { stdio: ["ignore", file.fd, "inherit"] });
  const limit = setTimeout(() => child.kill("SIGKILL"), BOOT_LIMIT_MS);
  await once(child, "close");
  clearTimeout(limit);
  await file.close();
  return (await readFile(shown, "latin1")).replaceAll("\r", "");
}

const PROTOCOLS: [string, LoaderOptions][] = [
  ["R1.2 bzImage by its 64-bit entry", {}],
  ["R1.2 bzImage by its 32-bit entry", { entry: "32" }],
  ["R2.1 the ELF inside through PVH", { name: "pvh" }],
  ["R2.4 the same with start_info behind the kernel", { name: "pvh", start_info: "after-kernel" }],
  ["R1.2 the ELF inside by the 64-bit ELF protocol", { name: "elf64" }],
];

for (const [what, loader] of PROTOCOLS) {
  test(`${what} reaches userspace on QEMU's CPU`, async (t) => {
    const shown = await consoleOf(t, loader);
    if (shown === undefined) return;
    assert.ok(shown.includes(INIT_LINE), shown.slice(-2000));
    assert.match(shown, /^sum=42$/m);
    assert.match(shown, /BIOS-e820: \[mem 0x0000000000000000-0x000000000009fbff\] usable/);
    assert.match(shown, /ACPI: FACP 0x[0-9A-F]+ 000114 \(v06 LOCORE/);
    assert.match(shown, /ACPI: Using ACPI \(MADT\) for SMP configuration/);
    assert.match(shown, /PNP0501/);
    const affected = [...shown.matchAll(/vulnerabilities\/(\w+):(.*)$/gm)].filter(
      ([, , state]) => state !== "Not affected",
    );
    assert.deepEqual(
      affected.map(([, name]) => name),
      [],
      "no mitigation is chosen for this CPU model",
    );
    assert.match(shown, /vulnerabilities\/spectre_v2:Not affected/);
  });
}
