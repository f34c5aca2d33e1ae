/**
 * Boots of real kernels to the first line of user space: the time from the start of the process to that line. Each
 * once as it comes, Debian's cloud kernel also without mitigations, which the guest chooses by the CPU it sees.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { GuestError, INIT_LINE, initramfsBytes, pullGuest } from "../src/guests/index.js";
import type { Case, Skipped } from "./case.js";
import type { Boot } from "./peers.js";

const MEMORY_MIB = 256;
export const COMMAND_LINE = "console=ttyS0 quiet panic=-1";

interface KernelBoot {
  name: string;
  what: string;
  /** Names of the catalogue. */
  kernel: string;
  busybox: string;
  append?: string;
  bar: "boot" | "boot-v86" | "none";
}

const BOOTS: readonly KernelBoot[] = [
  {
    name: "debian-cloud",
    what: "Linux 6.1, amd64, to init",
    kernel: "debian-cloud",
    busybox: "busybox",
    bar: "boot",
  },
  {
    name: "debian-cloud mitigations=off",
    what: "the same without mitigations",
    kernel: "debian-cloud",
    busybox: "busybox",
    append: "mitigations=off",
    bar: "none",
  },
  {
    name: "debian-13-cloud",
    what: "Linux 6.12, amd64, to init",
    kernel: "debian-13-cloud",
    busybox: "busybox",
    bar: "none",
  },
  {
    name: "debian-686-pae",
    what: "Linux 6.1, i386 with PAE, to init",
    kernel: "debian-686-pae",
    busybox: "busybox-i386",
    bar: "boot-v86",
  },
];

/** A guest's file by its role, or why it cannot be had. */
export async function guestFile(name: string, role: string): Promise<string | Skipped> {
  try {
    const { files } = await pullGuest(name);
    return files[role];
  } catch (error) {
    if (error instanceof GuestError) return { skip: error.message.split("\n")[0] };
    throw error;
  }
}

async function prepare(boot: KernelBoot, folder: string): Promise<Boot | Skipped> {
  const kernel = await guestFile(boot.kernel, "kernel");
  if (typeof kernel !== "string") return kernel;
  const busybox = await guestFile(boot.busybox, "busybox");
  if (typeof busybox !== "string") return busybox;
  const initrd = path.join(folder, `${boot.busybox}.cpio`);
  await writeFile(initrd, await initramfsBytes({ busybox, command: "true" }));
  const append = boot.append === undefined ? COMMAND_LINE : `${COMMAND_LINE} ${boot.append}`;
  return { kernel, initrd, append, memoryMib: MEMORY_MIB };
}

/** v86 has no 64-bit mode: it takes part where the kernel is a 32-bit one. */
export function bootCases(): Case[] {
  return BOOTS.map((boot) => ({
    group: "boot",
    name: boot.name,
    spans: [{ name: boot.name, what: boot.what, to: INIT_LINE, bar: boot.bar }],
    monitors: boot.bar === "boot-v86" ? ["locore", "qemu", "v86"] : ["locore", "qemu"],
    until: INIT_LINE,
    prepare: (folder) => prepare(boot, folder),
    wrong: () => new Map(),
  }));
}
