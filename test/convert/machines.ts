/**
 * ARM machines that run images: QEMU's virt. Gives back what came out on the console. Knows no image.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { requireTool } from "../support/requires.js";

/** Debian's names, and CPUs that Xen runs on. */
export const QEMU = {
  32: { program: "qemu-system-arm", cpu: "cortex-a15" },
  64: { program: "qemu-system-aarch64", cpu: "cortex-a57" },
} as const;

/** Where the virt machine's memory starts, and where QEMU puts an arm32 -kernel in it. */
export const RAM = 0x4000_0000;

export interface MachineRun {
  bits: 32 | 64;
  /** Arguments of QEMU; `@name` stands for the file of that name. */
  args: readonly string[];
  files: Readonly<Record<string, Uint8Array>>;
  /** Stop when this was printed. */
  until?: RegExp;
  /** Written to the console when this was printed, one after the other. */
  typed?: readonly (readonly [RegExp, string])[];
  limitMs?: number;
}

const LIMIT_MS = 20_000;

/** A folder of the test's own. */
export async function testFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-arm-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs QEMU until it exits, the marker was seen or time is up. Undefined after the test was skipped. */
export async function runMachine(t: TestContext, run: MachineRun): Promise<string | undefined> {
  const qemu = requireTool(t, QEMU[run.bits].program);
  if (qemu === undefined) return undefined;
  const folder = await testFolder(t);
  for (const [name, bytes] of Object.entries(run.files)) await writeFile(path.join(folder, name), bytes);
  const named = (whole: string, name: string): string =>
    name in run.files ? path.join(folder, name) : whole;
  const args = run.args.map((arg) => arg.replace(/@([\w.-]+)/g, named));
  const child = spawn(qemu, ["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), run.limitMs ?? LIMIT_MS);
  let console = "";
  const typed = [...(run.typed ?? [])];
  const heard = (data: Buffer): void => {
    console += data.toString("latin1");
    while (typed.length > 0 && typed[0][0].test(console)) child.stdin.write(typed.shift()?.[1] ?? "");
    if (run.until?.test(console) === true) child.kill("SIGKILL");
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  child.stdin.on("error", () => undefined);
  await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return console;
}

export interface DirectBoot {
  /** MiB; 128. */
  memory?: number;
  args?: readonly string[];
  files?: Readonly<Record<string, Uint8Array>>;
  /** The end of a guest's report. */
  until?: RegExp;
  limitMs?: number;
}

/** The virt machine with `-kernel`. */
export async function bootDirectly(
  t: TestContext,
  bits: 32 | 64,
  kernel: Uint8Array,
  { memory = 128, args = [], files = {}, until = /x=0+\r?\n/, limitMs = LIMIT_MS }: DirectBoot = {},
): Promise<string | undefined> {
  const machine = ["-M", "virt", "-cpu", QEMU[bits].cpu, "-m", `${memory}`, "-kernel", "@kernel"];
  return runMachine(t, { bits, args: [...machine, ...args], files: { kernel, ...files }, until, limitMs });
}
