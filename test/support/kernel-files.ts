/** A real kernel and an initramfs as files in a folder of the test's own, for the command line. */
import type { SpawnOptions } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { buildInitramfs, type InitramfsOptions } from "../../src/guests/index.js";
import { Running } from "./pseudo-terminal.js";
import { requireGuest } from "./requires.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** The program with pipes. */
export function locore(args: readonly string[], options: SpawnOptions = {}): Running {
  return new Running(process.execPath, [PROGRAM, ...args], options);
}

export interface KernelFiles {
  kernel: string;
  initrd: string;
  /** Removed after the test. */
  folder: string;
}

/** A kernel of the catalogue, Debian's cloud kernel unless said otherwise, and an initramfs, or undefined after the test was skipped. */
export async function kernelFiles(
  t: TestContext,
  initramfs: Omit<InitramfsOptions, "busybox">,
  guest = "debian-cloud",
): Promise<KernelFiles | undefined> {
  const kernel = await requireGuest(t, guest);
  const busybox = await requireGuest(t, "busybox");
  if (!kernel || !busybox) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-kernels-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const initrd = path.join(folder, "initrd");
  await writeFile(initrd, buildInitramfs({ busybox: busybox.files["busybox"], ...initramfs }));
  return { kernel: kernel.files["kernel"], initrd, folder };
}
