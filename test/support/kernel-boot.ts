/**
 * Boots a real kernel of the catalogue on the built-in engine, inline and in deterministic time, and hands back its
 * console and how it ended. For tests; how a command line or a thread is wired stands elsewhere.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import type { BlockBackend } from "../../src/block/backend.js";
import type { FileBackend } from "../../src/share/file-backend.js";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions, LoaderOptions } from "../../src/boot/options.js";
import type { Plan } from "../../src/boot/plan.js";
import type { Channel } from "../../src/devices/part.js";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { recognise } from "../../src/formats/index.js";
import type { CpioEntry } from "../../src/guests/archives/cpio.js";
import type { InitramfsOptions } from "../../src/guests/index.js";
import { archiveBytes, initramfsEntries } from "../../src/guests/initramfs/initramfs.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { runToEnd, type RunReport } from "../../src/host/run.js";
import { requireGuest } from "./requires.js";

/**
 * Leaves out the kernel's self-tests of its ciphers, more than half of what Debian's kernel executes until init, for
 * boots that are about something else.
 */
export const WITHOUT_CRYPTO_TESTS = "cryptomgr.notests=1";
/** A moment that a broken calendar gets wrong: 2024-02-29 12:34:56 UTC. */
export const POWER_ON = Date.UTC(2024, 1, 29, 12, 34, 56) / 1000;

/** No boot here comes near it; a hang ends as a timeout instead of holding up the tests. */
const INSTRUCTION_LIMIT = 8e9;
const NS_PER_INSTRUCTION = 10;
const LARGEST_VMLINUX = 2 ** 28;
const TAIL = 1500;

export interface KernelBootOptions {
  /** Name in the catalogue. Default: Debian's cloud kernel. */
  guest?: string;
  /** A bzImage instead of a guest of the catalogue. */
  image?: { name: string; bytes: Uint8Array };
  /** Hand over the ELF kernel inside the bzImage instead of the bzImage. */
  vmlinux?: boolean;
  loader?: LoaderOptions;
  /** SeaBIOS runs first. */
  bios?: boolean;
  commandLine?: string;
  /** Default: one. */
  cpus?: number;
  /** Bytes of RAM. Default: the plan's own. */
  memory?: number;
  /** Default: enough for any boot that only boots. */
  maxInstructions?: number;
  /** How often a reset, a triple fault too, restarts the machine. Default: never. */
  maxResets?: number;
  /** A static busybox of the catalogue. Default: "busybox", for x86-64. */
  busybox?: "busybox" | "busybox-i386";
  /** What the initramfs holds beside busybox, or all of its entries; `false` for none. */
  initramfs: Omit<InitramfsOptions, "busybox"> | readonly CpioEntry[] | false;
  /** Anything else that can be asked of a plan. */
  more?: Partial<BootOptions>;
  /** By the names that parts of the plan have for them. */
  disks?: ReadonlyMap<string, BlockBackend>;
  shares?: ReadonlyMap<string, FileBackend>;
  /** By the names that ports have. */
  channels?: ReadonlyMap<string, Channel>;
  /** Changes the plan before it runs, where a test wants a machine that nobody can ask for. */
  change?: (plan: Plan) => void;
}

export interface KernelBoot {
  /** What the guest printed, without carriage returns. */
  console: string;
  report: RunReport;
}

/** The bytes of a kernel and its name, or undefined after the test was skipped. */
async function kernelImage(
  t: TestContext,
  options: KernelBootOptions,
): Promise<KernelBootOptions["image"] | undefined> {
  let given = options.image;
  if (given === undefined) {
    const kernel = await requireGuest(t, options.guest ?? "debian-cloud");
    if (!kernel) return undefined;
    const name = kernel.files["kernel"];
    given = { name, bytes: await readFile(name) };
  }
  if (options.vmlinux !== true) return given;
  const image = recognise(given.bytes);
  assert.equal(image.format, "bzimage");
  return { name: "vmlinux", bytes: decompressPayload(image, { maxOutput: LARGEST_VMLINUX }) };
}

/** The archive that a boot asks for, or undefined after the test was skipped. */
async function initramfsOf(
  t: TestContext,
  { initramfs, busybox = "busybox" }: KernelBootOptions,
): Promise<{ initrd?: { name: string; bytes: Uint8Array } } | undefined> {
  if (initramfs === false) return {};
  let entries = initramfs as readonly CpioEntry[];
  if (!Array.isArray(initramfs)) {
    const guest = await requireGuest(t, busybox);
    if (!guest) return undefined;
    entries = await initramfsEntries({ busybox: guest.files["busybox"], ...initramfs });
  }
  return { initrd: { name: "initramfs", bytes: await archiveBytes(entries) } };
}

/** The plan of a boot, or undefined after the test was skipped. */
export async function kernelPlan(t: TestContext, options: KernelBootOptions): Promise<Plan | undefined> {
  const kernel = await kernelImage(t, options);
  const initrd = kernel && (await initramfsOf(t, options));
  const seabios = options.bios === true ? await requireGuest(t, "seabios") : undefined;
  if (!kernel || !initrd || (options.bios === true && !seabios)) return undefined;
  const plan = buildPlan({
    kernel,
    ...initrd,
    ...(seabios && { bios: { name: "bios", bytes: await readFile(seabios.files["bios"]) } }),
    commandLine: options.commandLine ?? "console=ttyS0",
    loader: options.loader ?? {},
    cpus: options.cpus ?? 1,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    clock: { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION }, rtcStart: POWER_ON },
    ...options.more,
  });
  options.change?.(plan);
  return plan;
}

/** Runs a plan to its end. An instruction that the engine lacks fails the test. */
export async function runPlan(
  plan: Plan,
  {
    maxInstructions = INSTRUCTION_LIMIT,
    maxResets,
    disks,
    shares,
    channels,
  }: Pick<KernelBootOptions, "maxInstructions" | "maxResets" | "disks" | "shares" | "channels"> = {},
): Promise<KernelBoot> {
  const blocks: Buffer[] = [];
  const missing: string[] = [];
  const report = runToEnd({
    plan,
    engine: await loadEngine("wasm"),
    console: {
      write: (bytes) => void blocks.push(Buffer.from(bytes)),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => assert.fail("deterministic time never waits"),
    maxInstructions,
    ...(disks && { disks }),
    ...(shares && { shares }),
    ...(channels && { channels }),
    ...(maxResets === undefined ? {} : { maxResets, tripleFault: "reset" as const }),
    events: { unimplemented: (_cpu, rip, _bytes, text) => missing.push(`${text} at 0x${rip.toString(16)}`) },
  });
  assert.deepEqual(missing, [], "every instruction is implemented");
  return { console: Buffer.concat(blocks).toString("latin1").replaceAll("\r", ""), report };
}

/** Plans and runs; undefined after the test was skipped. */
export async function bootKernel(
  t: TestContext,
  options: KernelBootOptions,
): Promise<KernelBoot | undefined> {
  const plan = await kernelPlan(t, options);
  if (plan === undefined) return undefined;
  const boot = await runPlan(plan, options);
  t.diagnostic(
    `${(boot.report.stats.instructions / 1e6).toFixed(0)} M instructions, ${boot.report.hostMs.toFixed(0)} ms`,
  );
  return boot;
}

/** The last words of a guest, for a failing assertion. */
export function lastWords(console: string): string {
  return `the console ended with:\n${console.slice(-TAIL)}`;
}

/** Asserts how a boot ended. */
export function assertEnd(boot: KernelBoot, kind: string, route: string, status: number): void {
  const { end } = boot.report;
  const found = { kind: end.kind, route: end.route, status: end.status };
  assert.deepEqual(found, { kind, route, status }, lastWords(boot.console));
}

/** The text after `name=` on a line of its own, as the tests' guests print what they found. */
export function guestValue(console: string, name: string): string {
  const found = new RegExp(`^${name}=(.*)$`, "m").exec(console);
  assert.ok(found, `the guest printed no "${name}="; ${lastWords(console)}`);
  return found[1];
}
