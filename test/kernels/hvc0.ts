/** A machine with hvc0 for its console, and a kernel that has no other. */
import type { TestContext } from "node:test";
import { kernelFiles } from "../support/kernel-files.js";
import { requireLibkrunfw } from "../support/libkrunfw.js";

/** Nothing of the kernel's between the guest's bytes. */
const MACHINE = ["--console", "hvc0", "--announce", "cmdline", "--append", "console=hvc0 quiet loglevel=1"];

export interface Guest {
  words: string[];
  folder: string;
}

/** A machine whose init runs `script`, or undefined after the test was skipped. */
export async function guest(t: TestContext, script: string): Promise<Guest | undefined> {
  const kernel = await requireLibkrunfw(t);
  if (kernel === undefined) return undefined;
  const made = await kernelFiles(t, { command: script, end: "reboot" });
  return made && { words: [kernel, "--initrd", made.initrd, ...MACHINE], folder: made.folder };
}
