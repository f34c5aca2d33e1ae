/**
 * A real Xen on QEMU's virt machines, with a kernel as its first domain (dom0, started by Xen from a module that QEMU
 * names in the device tree) or as a guest that Xen starts by itself (dom0less: docs/features/dom0less.pandoc of Xen).
 * Gives back the console.
 */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { requireGuest, requireTool } from "../support/requires.js";
import { addToChosen } from "./device-tree.js";
import { QEMU, runMachine, testFolder } from "./machines.js";

/** Where memory starts in a guest of Xen; where the guest of this test is loaded for Xen to find. */
export const GUEST_RAM = 0x4000_0000;
const MODULE = 0x4a00_0000;
const BOOT_ARGS = "console=dtuart dtuart=/pl011@9000000 dom0_mem=256M bootscrub=0";
const GUEST_MEMORY_KIB = 0x2_0000;
/** Guests end, Xen goes on, or stops at a prompt: the marker ends the machine. */
const LIMIT_MS = 60_000;

export interface XenRun {
  kernel: Uint8Array;
  until: RegExp;
  commandLine?: string;
  memoryKib?: number;
  limitMs?: number;
}

const MACHINE = { 32: "virt,virtualization=on", 64: "virt,virtualization=on,gic-version=3" } as const;
const MEMORY_MIB = 1024;

function machine(bits: 32 | 64): string[] {
  return ["-M", MACHINE[bits], "-cpu", QEMU[bits].cpu, "-m", `${MEMORY_MIB}`, "-kernel", "@xen"];
}

async function xenImage(t: TestContext, bits: 32 | 64): Promise<Uint8Array | undefined> {
  const guest = await requireGuest(t, bits === 32 ? "xen-armhf" : "xen-arm64");
  return guest && readFile(guest.files["kernel"]);
}

/** The kernel as dom0; undefined after the test was skipped. */
export async function runAsDom0(t: TestContext, bits: 32 | 64, run: XenRun): Promise<string | undefined> {
  const xen = await xenImage(t, bits);
  if (xen === undefined) return undefined;
  const loader = `guest-loader,addr=${MODULE},kernel=@kernel,bootargs=${run.commandLine ?? "x"}`;
  return runMachine(t, {
    bits,
    args: [...machine(bits), "-append", BOOT_ARGS, "-device", loader],
    files: { xen, kernel: run.kernel },
    until: run.until,
    limitMs: run.limitMs ?? LIMIT_MS,
  });
}

/** The device tree that QEMU would give, with a guest in it. */
async function treeWithGuest(t: TestContext, bits: 32 | 64, run: XenRun): Promise<Uint8Array | undefined> {
  const qemu = requireTool(t, QEMU[bits].program);
  if (qemu === undefined) return undefined;
  const file = path.join(await testFolder(t), "tree");
  const words = ["-M", `${MACHINE[bits]},dumpdtb=${file}`, "-cpu", QEMU[bits].cpu, "-m", `${MEMORY_MIB}`];
  spawnSync(qemu, [...words, "-nographic"]);
  const cells = { "#address-cells": [2], "#size-cells": [2] };
  const module = {
    name: `module@${MODULE.toString(16)}`,
    properties: {
      compatible: ["multiboot,kernel", "multiboot,module"],
      reg: [0, MODULE, 0, run.kernel.length],
      bootargs: run.commandLine ?? "x",
    },
  };
  const memory = [0, run.memoryKib ?? GUEST_MEMORY_KIB];
  const properties = { compatible: "xen,domain", cpus: [1], memory, vpl011: "", ...cells };
  return addToChosen(await readFile(file), {
    properties: { "xen,xen-bootargs": BOOT_ARGS, ...cells },
    children: [{ name: "domU1", properties, children: [module] }],
  });
}

/** The kernel as a dom0less guest; undefined after the test was skipped. */
export async function runAsDomU(t: TestContext, bits: 32 | 64, run: XenRun): Promise<string | undefined> {
  const xen = await xenImage(t, bits);
  const tree = xen && (await treeWithGuest(t, bits, run));
  if (xen === undefined || tree === undefined) return undefined;
  return runMachine(t, {
    bits,
    args: [
      ...machine(bits),
      ...["-dtb", "@tree", "-device", `loader,file=@kernel,addr=${MODULE},force-raw=on`],
    ],
    files: { xen, tree, kernel: run.kernel },
    until: run.until,
    limitMs: run.limitMs ?? LIMIT_MS,
  });
}
