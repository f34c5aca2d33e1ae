/** Debian's gdb, in batch mode, at a machine of the command line. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { recognise } from "../../src/formats/index.js";
import { WITHOUT_CRYPTO_TESTS } from "./kernel-boot.js";
import { locore } from "./kernel-files.js";
import { Running, type Ended } from "./pseudo-terminal.js";
import { requireGuest, requireTool } from "./requires.js";

/** A folder of the test's own with a place where gdb attaches, or undefined after the test was skipped. */
export async function gdbFolder(
  t: TestContext,
  debuggerProgram: "gdb" | "lldb" = "gdb",
): Promise<string | undefined> {
  if (requireTool(t, debuggerProgram) === undefined) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-gdb-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export class DebuggedCommand {
  readonly machine: Running;
  readonly #folder: string;
  #gdbs = 0;

  /** Starts `locore` with these words; gdb attaches in `folder`. `how` stands behind the place: ",wait". */
  constructor(t: TestContext, folder: string, words: readonly string[], how = "") {
    this.#folder = folder;
    this.machine = locore([...words, "--gdb", `unix:g${how}`, "--timeout", "150"], { cwd: folder }).during(t);
  }

  /** Waits until gdb can attach. */
  async listens(): Promise<void> {
    while (!this.machine.err.includes("target remote") && this.machine.child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** A gdb that carries out these commands; the first of ours attaches. */
  async gdb(t: TestContext, commands: readonly string[]): Promise<Running> {
    await this.listens();
    const file = path.join(this.#folder, `commands${++this.#gdbs}`);
    await writeFile(file, ["set pagination off", "set remotetimeout 30", ...commands, ""].join("\n"));
    return new Running("gdb", ["-nx", "-q", "-batch", "-x", file], { cwd: this.#folder }).during(t);
  }

  /** What they print. */
  async commands(t: TestContext, commands: readonly string[]): Promise<string> {
    const { out, err } = await (await this.gdb(t, ["target remote g", ...commands])).ended;
    return out + err;
  }

  /** How the machine ended. */
  get ended(): Promise<Ended> {
    this.machine.child.stdin.end();
    return this.machine.ended;
  }
}

const LARGEST_VMLINUX = 2 ** 28;

/** How gdb gets the symbols of a Linux kernel. */
export const KERNEL_SYMBOLS = ["monitor symbols k.sym", "symbol-file k.sym"];

/**
 * Debian's kernel on two CPUs, unpacked, so that it is in memory from the start, standing before its first instruction; undefined after
 * the test was skipped.
 */
export async function debuggedKernel(t: TestContext): Promise<DebuggedCommand | undefined> {
  const folder = await gdbFolder(t);
  const kernel = await requireGuest(t, "debian-cloud");
  if (folder === undefined || kernel === undefined) return undefined;
  const image = recognise(await readFile(kernel.files["kernel"]));
  assert.equal(image.format, "bzimage");
  const vmlinux = decompressPayload(image, { maxOutput: LARGEST_VMLINUX });
  await writeFile(path.join(folder, "vmlinux"), vmlinux);
  const words = ["boot", "vmlinux", "--smp", "2", "--append", `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`];
  return new DebuggedCommand(t, folder, words, ",wait");
}
