/**
 * `npm run trace:compare -- KERNEL …`: finds the first instruction after which our CPU's registers differ from
 * QEMU's. QEMU boots the guest to an address; its memory and registers are copied to our CPU; both go on in lock
 * step. See docs/trace-compare.md.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createWasmEngine } from "../src/engine/wasm/engine.js";
import { GPR_NAMES } from "../src/x86/cpu-state.js";
import { conformanceCpuid } from "../test/conformance/support/cpuid.js";
import { compareWithQemu } from "./trace/compare.js";
import type { Difference, LockStepCounts } from "./trace/lock-step.js";
import type { Registers } from "./trace/qemu-dump.js";
import { qemuMissing } from "./trace/qemu-process.js";
import type { QemuOptions } from "./trace/qemu-process.js";

/** Linux's 64-bit entry, where the boot protocol puts it (boot.rst: load address + 0x200). */
const LINUX_ENTRY_64 = 0x100200n;
const ELF_ENTRY_AT = 0x18;
const ELFCLASS64 = 2;
const PROGRESS_EVERY = 100_000;
const USAGE = `usage: npm run trace:compare -- KERNEL [--initrd F] [--append S] [-m MIB] [--from ADDRESS]
         [--count N] [--cpu QEMU-CPU] [--quiet]
  --from    hexadecimal address where both sides start (default: the kernel's entry)
  --count   instructions to compare (default 1000000)
  --cpu     QEMU's CPU model (default qemu64: nothing beyond SSE3)`;

function entryOf(file: string): bigint {
  const image = readFileSync(file);
  if (image.readUInt32BE(0) !== 0x7f454c46) return LINUX_ENTRY_64;
  return image[4] === ELFCLASS64
    ? image.readBigUInt64LE(ELF_ENTRY_AT)
    : BigInt(image.readUInt32LE(ELF_ENTRY_AT));
}

const hex = (v: bigint): string => v.toString(16).padStart(16, "0");

/** Registers of both sides; those that differ are marked. */
function sideBySide(qemu: Registers, ours: Registers): string {
  const row = (name: string, a: bigint, b: bigint): string =>
    `  ${a === b ? " " : "≠"} ${name.padEnd(6)} ${hex(a)}  ${hex(b)}`;
  const names = qemu.long ? GPR_NAMES : GPR_NAMES.slice(0, 8);
  const visible = (v: bigint): bigint => (qemu.long ? v : v & 0xffffffffn);
  return [
    `    ${"".padEnd(6)} ${"QEMU".padEnd(16)}  ours`,
    ...names.map((name, i) => row(name, qemu.gpr[i], visible(ours.gpr[i]))),
    row("rip", qemu.rip, ours.rip),
    row("rflags", qemu.rflags, ours.rflags),
  ].join("\n");
}

function report(d: Difference): string {
  const bytes = Array.from(d.bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
  return [
    `instruction ${d.step}: ${d.what.join(", ")} differ after 0x${d.before.rip.toString(16)}: ${bytes || "(not mapped)"}`,
    `before it (both): ${GPR_NAMES.map((n, i) => `${n}=${d.before.gpr[i].toString(16)}`).join(" ")} rflags=${d.before.rflags.toString(16)}`,
    sideBySide(d.qemu, d.ours),
  ].join("\n");
}

const summary = (c: LockStepCounts): string =>
  `${c.steps} instructions, ${c.interrupts} interrupts, ${c.faults} faults; ` +
  `taken from QEMU: ${c.adopted} results of devices or CPU identity, ${c.flags} times undefined flags`;

async function compare(qemu: QemuOptions, from: bigint, count: number, quiet: boolean): Promise<number> {
  let next = PROGRESS_EVERY;
  const progress = (counts: LockStepCounts): void => {
    if (quiet || counts.steps < next) return;
    console.error(summary(counts));
    next += PROGRESS_EVERY;
  };
  const engine = createWasmEngine();
  const verdict = await compareWithQemu({ engine, cpuid: conformanceCpuid(), qemu, from, count, progress });
  if (verdict.difference) console.log(report(verdict.difference));
  else console.log(verdict.ended ? "QEMU ended, no difference" : "no difference");
  console.log(summary(verdict.counts));
  return verdict.difference ? 1 : 0;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      initrd: { type: "string" },
      append: { type: "string" },
      m: { type: "string", short: "m" },
      from: { type: "string" },
      count: { type: "string" },
      cpu: { type: "string" },
      qemu: { type: "string" },
      quiet: { type: "boolean" },
    },
  });
  const [kernel] = positionals;
  if (kernel === undefined) {
    console.error(USAGE);
    return 2;
  }
  const options: QemuOptions = {
    qemu: values.qemu ?? process.env.LOCORE_QEMU ?? "qemu-system-x86_64",
    kernel,
    memoryMib: Number(values.m ?? 128),
    cpu: values.cpu ?? "qemu64",
  };
  if (values.initrd !== undefined) options.initrd = values.initrd;
  if (values.append !== undefined) options.append = values.append;
  const missing = qemuMissing(options.qemu);
  if (missing !== undefined) {
    console.error(missing);
    return 2;
  }
  const from = values.from === undefined ? entryOf(kernel) : BigInt(`0x${values.from.replace(/^0x/i, "")}`);
  return compare(options, from, Number(values.count ?? 1_000_000), values.quiet ?? false);
}

process.exitCode = await main();
