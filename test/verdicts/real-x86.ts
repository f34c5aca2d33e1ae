/**
 * The verdicts about QEMU held to QEMU itself. What a verdict says is refused ends with status 1 and the verdict's words;
 * what it takes ends by the guest's own debug-exit, in the mode the verdict names; what it calls unchecked runs on, without
 * a word.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { x86Verdicts, type Verdict } from "../../src/verdicts/index.js";
import { EXIT_PORT, EXIT_VALUE, type Sample } from "./x86-collection.js";

/** QEMU's machines, and the names of their verdicts. */
export const MACHINES = [
  { loader: "qemu-microvm", machine: "microvm" },
  { loader: "qemu-pc", machine: "pc" },
] as const;
/** A guest that ends does so in a second; what runs on is ended after this, in seconds. */
const RUN_ON = 3;
const UNTIL_ENDED = 60;
const AT_ONCE = 3;
const MILLISECONDS = 1000;

interface Ran {
  readonly status: number | undefined;
  readonly signal: string | null;
  readonly said: string;
}

/** Runs QEMU until it ends, or for `seconds`. */
function run(qemu: string, machine: string, file: string, seconds: number): Promise<Ran> {
  const args = [
    "-M",
    machine,
    "-accel",
    "tcg",
    "-m",
    "64",
    "-kernel",
    file,
    "-display",
    "none",
    "-nodefaults",
    "-no-reboot",
  ];
  const exit = ["-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=4`];
  const child = spawn(qemu, [...args, ...exit], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => void (said += text.toString()));
  return new Promise((resolve, reject) => {
    let ended = false;
    const timer = setTimeout(() => {
      ended = true;
      child.kill("SIGKILL");
    }, seconds * MILLISECONDS);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status: ended || status === null ? undefined : status, signal: ended ? null : signal, said });
    });
  });
}

/** The verdict about a sample. */
export function verdictOf({ bytes }: Sample, loader: string): Verdict {
  const verdict = x86Verdicts(bytes, undefined).find((one) => one.loader.name === loader);
  assert.ok(verdict, loader);
  return verdict;
}

/** Status of a process whose guest wrote `value` to the debug-exit port. */
function exitStatus(value: number): number {
  return value * 2 + 1;
}

function compare(
  { outcome, reason, prints, rule }: Verdict,
  { status, signal, said }: Ran,
): string | undefined {
  const seen = `QEMU ended with ${status ?? signal ?? "nothing: it ran on"} and said ${JSON.stringify(said)}`;
  if (outcome === "refuses" && rule === "qemu/elf-align") return signal === "SIGFPE" ? undefined : seen;
  if (outcome === "refuses" && rule === "qemu/elf-note-size") {
    return status === 1 || signal === "SIGSEGV" ? undefined : seen;
  }
  if (outcome === "refuses") {
    const missing = prints.find((text) => !said.includes(text.replace(/^qemu-system-x86_64: /, "")));
    return status === 1 && missing === undefined ? undefined : `${seen}; the verdict: ${prints.join(" ")}`;
  }
  const refused = status === 1 || signal !== null;
  if (outcome === "blind") return refused ? seen : undefined;
  const value = reason.includes("real mode") ? EXIT_VALUE.real : EXIT_VALUE.flat32;
  return status === exitStatus(value) ? undefined : `${seen}; wanted ${exitStatus(value)}`;
}

/** Runs the samples on one machine; what QEMU does otherwise than the verdicts say, a line each. */
export async function differences(
  qemu: string,
  { loader, machine }: (typeof MACHINES)[number],
  samples: readonly Sample[],
): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-real-x86-"));
  const wrong: string[] = [];
  const waiting = samples.map((sample, i) => ({ sample, i }));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { sample, i } = next;
      const file = path.join(folder, `${i}.kernel`);
      writeFileSync(file, sample.bytes);
      const verdict = verdictOf(sample, loader);
      const ran = await run(qemu, machine, file, verdict.outcome === "blind" ? RUN_ON : UNTIL_ENDED);
      const fault = compare(verdict, ran);
      if (fault !== undefined)
        wrong.push(`${sample.name} (${verdict.outcome}, ${verdict.rule ?? ""}): ${fault}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    rmSync(folder, { recursive: true });
  }
  return wrong;
}
