/** `locore run --matrix` as a process of its own, with all that it leaves. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { PROGRAM } from "../support/run-command.js";

export interface MatrixEnd {
  status: number | null;
  out: string;
  err: string;
}

export interface RunningMatrix {
  child: ChildProcess;
  ended: Promise<MatrixEnd>;
  /** Processes of its cells that are there now. */
  cells(): number[];
}

/** What `--json` prints of a cell. */
export interface JsonCell {
  name: string;
  values: Record<string, string>;
  state: string;
  status?: number;
  reason: string;
  message?: string;
  output: string;
  outputBytes: number;
}

/** A folder that goes away with the test; `file` reads one of it. */
export function matrixFolder(t: TestContext): { folder: string; file: (name: string) => Buffer } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "locore-matrix-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, file: (name) => readFileSync(path.join(folder, name)) };
}

/** Ends a cell that hangs long before the test's own time is over. */
const HANGING = "150s";

/** `locore run --timeout 150s WORDS`. Its cells are told from other processes by a variable of their environment. */
export function startMatrix(
  t: TestContext,
  words: readonly string[],
  env: Record<string, string> = {},
): RunningMatrix {
  const mark = `LOCORE_TEST_MATRIX=${process.pid}-${Math.random()}`;
  const [name, value] = mark.split("=");
  const limit = words.some((word) => word.startsWith("timeout=")) ? [] : ["--timeout", HANGING];
  const child = spawn(process.execPath, [PROGRAM, "run", ...limit, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, [name]: value },
  });
  const cells = (): number[] =>
    spawnSync("sh", ["-c", `grep -lsaF -- '${mark}' /proc/[0-9]*/environ`])
      .stdout.toString()
      .split("\n")
      .map((file) => Number(file.split("/")[2]))
      .filter((pid) => pid > 0 && pid !== child.pid && pid !== process.pid && isProgram(pid));
  t.after(() => {
    child.kill("SIGKILL");
    for (const pid of cells()) process.kill(pid, "SIGKILL");
  });
  const [out, err]: Buffer[][] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  const ended = new Promise<MatrixEnd>((resolve) =>
    child.on("close", (status) =>
      resolve({ status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    ),
  );
  return { child, ended, cells };
}

/** The shell that looks has the variable as well. */
function isProgram(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(PROGRAM);
  } catch {
    return false;
  }
}

/** Waits until something is so; false after `limitMs`. */
export async function eventually(holds: () => boolean, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
