/**
 * What several CPUs cost one another: a bare guest that sends interrupts to and fro, and threads under Debian's kernel that wake
 * each other. Both on four CPUs, beside QEMU's four.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { initramfsBytes } from "../src/guests/index.js";
import { ipiGuest } from "../test/support/two-cpu-guests.js";
import { COMMAND_LINE, guestFile } from "./boot-cases.js";
import type { Case } from "./case.js";
import { BEGIN_LINE, END_LINE, WRONG_RESULT } from "./compute/program.js";
import { futexProgram } from "./futex-storm.js";
import { isLine } from "./measure.js";

const CPUS = 4;
const THREADS = 4;
const MEMORY_MIB = 256;
const IPI_ROUNDS = 100_000;
const FUTEX_ROUNDS = 10_000;
/** What a debug-exit port makes of zero. */
const STATUS_RIGHT = 1;
const STATUS_LINE = "bench: futex storm ended with";

const scaled = (rounds: number, scale: number): number => Math.max(1, Math.round(rounds * scale));

function ipiPingPong(scale: number): Case {
  const name = "IPI ping-pong";
  const rounds = scaled(IPI_ROUNDS, scale);
  return {
    group: "smp",
    name,
    spans: [
      {
        name,
        what: `${rounds} × there and back between sleepers`,
        from: BEGIN_LINE,
        to: END_LINE,
        bar: "none",
      },
    ],
    monitors: ["locore", "qemu"],
    async prepare(folder) {
      const kernel = path.join(folder, "ipi-ping-pong.elf");
      await writeFile(kernel, ipiGuest(rounds, { begin: BEGIN_LINE, end: END_LINE, wrong: WRONG_RESULT }));
      return { kernel, memoryMib: MEMORY_MIB, cpus: CPUS };
    },
    wrong: ({ status }) => new Map(status === STATUS_RIGHT ? [] : [[name, `it ended with status ${status}`]]),
  };
}

function futexStorm(scale: number): Case {
  const name = "futex storm";
  const rounds = scaled(FUTEX_ROUNDS, scale);
  const right = `${STATUS_LINE} 0`;
  return {
    group: "smp",
    name,
    spans: [
      {
        name,
        what: `${rounds} rounds of ${THREADS} threads, Linux 6.1`,
        from: BEGIN_LINE,
        to: END_LINE,
        bar: "none",
      },
    ],
    monitors: ["locore", "qemu"],
    until: right,
    async prepare(folder) {
      const kernel = await guestFile("debian-cloud", "kernel");
      if (typeof kernel !== "string") return kernel;
      const busybox = await guestFile("busybox", "busybox");
      if (typeof busybox !== "string") return busybox;
      const initrd = path.join(folder, "futex.cpio");
      const files = [{ to: "/bench/futex", bytes: futexProgram(THREADS, rounds), mode: 0o755 }];
      const command = `nproc; echo "${BEGIN_LINE}"; /bench/futex; s=$?; echo "${END_LINE}"; echo "${STATUS_LINE} $s"`;
      await writeFile(initrd, await initramfsBytes({ busybox, files, command }));
      return { kernel, initrd, append: COMMAND_LINE, memoryMib: MEMORY_MIB, cpus: CPUS };
    },
    wrong: ({ lines }) => {
      const fault = new Map<string, string>();
      if (!lines.some(({ text }) => isLine(text, String(CPUS)))) fault.set(name, `not ${CPUS} CPUs`);
      if (!lines.some(({ text }) => isLine(text, right))) fault.set(name, "it failed");
      return fault;
    },
  };
}

/** Programs whose CPUs talk to each other, `scale` times as long as by default. */
export function smpCases(scale: number): Case[] {
  return [ipiPingPong(scale), futexStorm(scale)];
}
