/**
 * The workloads as one case: one boot of Debian's cloud kernel runs all that are selected, one after another, so that
 * booting is paid once. The initramfs is the same for every peer.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { initramfsBytes } from "../src/guests/index.js";
import { COMMAND_LINE, guestFile } from "./boot-cases.js";
import type { Case, Skipped } from "./case.js";
import { isLine } from "./measure.js";
import type { Boot } from "./peers.js";
import { WORKLOADS } from "./workloads.js";
import type { Workload } from "./workloads.js";

const MEMORY_MIB = 512;
const DONE_LINE = "bench: done";
const beginLine = (name: string): string => `bench: begin ${name}`;
const endLine = (name: string): string => `bench: end ${name}`;
const resultLine = (name: string, result: string): string => `bench: result ${name}: ${result}`;

/** The shell script that the guest runs: every workload between its lines. */
export function workloadScript(workloads: readonly Workload[], scale: number): string {
  const each = workloads.flatMap((w) => [
    w.prepare?.(scale) ?? ":",
    `echo "${beginLine(w.name)}"`,
    w.command(scale),
    `echo "${endLine(w.name)}"`,
    `echo "${resultLine(w.name, `$(${w.result})`)}"`,
    "rm -rf /tmp/*",
  ]);
  return [...each, `echo "${DONE_LINE}"`].join("\n");
}

/** Writes an initramfs in which Debian's cloud kernel runs `command` with the workloads' files. */
export async function workloadBoot(
  workloads: readonly Workload[],
  command: string,
  scale: number,
  folder: string,
): Promise<Boot | Skipped> {
  const kernel = await guestFile("debian-cloud", "kernel");
  if (typeof kernel !== "string") return kernel;
  const busybox = await guestFile("busybox", "busybox");
  if (typeof busybox !== "string") return busybox;
  const initrd = path.join(folder, "workloads.cpio");
  const files = workloads.flatMap((w) => w.files(scale));
  await writeFile(initrd, await initramfsBytes({ busybox, files, command }));
  return { kernel, initrd, append: COMMAND_LINE, memoryMib: MEMORY_MIB };
}

/** Workloads that cannot be prepared here, with their reasons. */
export function missingWorkloads(): { name: string; reason: string }[] {
  return WORKLOADS.flatMap((w) => {
    const reason = w.missing?.();
    return reason === undefined ? [] : [{ name: w.name, reason }];
  });
}

/** A case of the workloads that `selected` wants; none where nothing is wanted. */
export function workloadCases(scale: number, selected: (name: string) => boolean): Case[] {
  const missing = new Set(missingWorkloads().map((w) => w.name));
  const workloads = WORKLOADS.filter((w) => selected(w.name) && !missing.has(w.name));
  if (workloads.length === 0) return [];
  return [
    {
      group: "workload",
      name: "workloads",
      spans: workloads.map((w) => ({
        name: w.name,
        what: w.what(scale),
        from: beginLine(w.name),
        to: endLine(w.name),
        bar: w.bar,
      })),
      monitors: ["locore", "qemu"],
      until: DONE_LINE,
      prepare: (folder) => workloadBoot(workloads, workloadScript(workloads, scale), scale, folder),
      wrong: (run) => {
        const right = (w: Workload): boolean =>
          run.lines.some((line) => isLine(line.text, resultLine(w.name, w.expected(scale))));
        const said = (w: Workload): string =>
          run.lines.find((line) => line.text.includes(resultLine(w.name, "")))?.text ?? "no result";
        return new Map(workloads.filter((w) => !right(w)).map((w) => [w.name, said(w)]));
      },
    },
  ];
}
