/** `locore run` as a process of its own, with what a script sees of it. */
import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { requireGuest } from "./requires.js";

export const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
/** Ends a guest that hangs long before the test's own time is over. */
const HANGING = "150s";

export interface RunEnd {
  status: number | null;
  out: Buffer;
  err: string;
  /** What `--json` says. */
  json: { status: number; reason: string; signal?: number; message?: string };
}

export interface RunningCommand {
  ended: Promise<RunEnd>;
  pid: number;
  /** Resolves once standard error or output shows the text. */
  shows(text: string): Promise<void>;
}

/** Whether the guests are there that a run takes by itself. */
export async function hasRunGuests(t: TestContext): Promise<boolean> {
  return (
    (await requireGuest(t, "debian-cloud")) !== undefined && (await requireGuest(t, "busybox")) !== undefined
  );
}

/** `locore run --json WORDS` with pipes; `input` is all of its standard input. */
export function startRun(
  t: TestContext,
  words: readonly string[],
  {
    input = new Uint8Array(0),
    cwd,
    env = {},
  }: { input?: Uint8Array; cwd?: string; env?: Record<string, string> } = {},
): RunningCommand {
  const limit = words.includes("--timeout") ? [] : ["--timeout", HANGING];
  const child = spawn(process.execPath, [PROGRAM, "run", "--json", ...limit, ...words], {
    cwd,
    env: { ...process.env, ...env },
    stdio: "pipe",
  });
  t.after(() => child.kill("SIGKILL"));
  const out: Buffer[] = [];
  let err = "";
  let heard = (): void => undefined;
  child.stdout.on("data", (bytes: Buffer) => {
    out.push(bytes);
    heard();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    err += bytes.toString();
    heard();
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const ended = new Promise<RunEnd>((resolve) =>
    child.on("close", (status) => {
      const line = err.trim().split("\n").at(-1) ?? "";
      const json = (line.startsWith("{") ? JSON.parse(line) : {}) as RunEnd["json"];
      resolve({ status, out: Buffer.concat(out), err, json });
      heard();
    }),
  );
  const shows = async (text: string): Promise<void> => {
    const seen = (): boolean => err.includes(text) || Buffer.concat(out).includes(text);
    while (!seen()) {
      if (child.exitCode !== null) throw new Error(`it ended without ${text}: ${err}`);
      await new Promise<void>((resolve) => (heard = resolve));
    }
  };
  return { ended, pid: child.pid ?? 0, shows };
}

/** Runs it to its end. */
export function runToEnd(...args: Parameters<typeof startRun>): Promise<RunEnd> {
  return startRun(...args).ended;
}
