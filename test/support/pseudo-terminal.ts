/** Child processes with pipes or on a terminal (util-linux's `script` makes it), and what they print. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcessWithoutNullStreams, type SpawnOptions } from "node:child_process";
import type { TestContext } from "node:test";

/** Why a test that needs a terminal must be skipped; `false` when it need not. */
export const NO_TERMINAL =
  process.platform === "linux" && spawnSync("script", ["--version"]).status === 0
    ? false
    : "needs util-linux's script for a terminal";

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** A running program; `out` and `err` grow. */
export class Running {
  out = "";
  err = "";
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command, args, { ...options, stdio: "pipe" });
    this.child.stdout.on("data", (bytes: Buffer) => (this.out += bytes.toString("latin1")));
    this.child.stderr.on("data", (bytes: Buffer) => (this.err += bytes.toString("latin1")));
    this.child.stdin.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      this.child.on("close", (status, signal) => resolve({ status, signal, out: this.out, err: this.err }));
    });
  }

  /** Ends it with the test, should the test fail before the program ends. */
  during(t: TestContext): this {
    t.after(() => this.child.kill());
    return this;
  }

  /** Waits until standard output shows `text`, at `from` or later; returns where it ends. */
  async shows(text: string, from = 0): Promise<number> {
    let at = this.out.indexOf(text, from);
    while (at < 0 && this.child.exitCode === null && this.child.signalCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      at = this.out.indexOf(text, from);
    }
    if (at < 0) {
      // What it printed last may still be on its way, and its last words may say what kept it.
      const { out, err } = await this.ended;
      at = out.indexOf(text, from);
      const said = JSON.stringify(out.slice(-1000));
      assert.ok(at >= 0, `${said} lacks ${JSON.stringify(text)}; ${err.slice(-1000)}`);
    }
    return at + text.length;
  }
}

/** Quotes a word for sh. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Node with `args` on a terminal, whose settings are shown afterwards; everything comes out of one stream.
 * Ctrl-C reaches the shell as well: with no trap, dash dies of it before it has shown anything.
 */
export function nodeOnTerminal(args: readonly string[]): Running {
  const program = [process.execPath, ...args].map(quoted).join(" ");
  const command = `trap : INT; ${program}; echo "status=$?"; stty -a | grep -o -e '-*icanon' -e '-*echo ' -e '-*opost'`;
  return new Running("script", ["-qec", command, "/dev/null"]);
}

/** The program on a terminal exited with `status`, and the terminal is as a shell left it. */
export function assertRestored(out: string, status: number): void {
  const after = out.slice(out.lastIndexOf("status="));
  assert.match(after, new RegExp(`status=${status}\\b`));
  for (const setting of ["icanon", "echo ", "opost"]) assert.match(after, new RegExp(`(?<!-)${setting}`));
}

/** Process ids of the children of `parent`. */
export function childrenOf(parent: number): number[] {
  const { stdout } = spawnSync("pgrep", ["-P", String(parent)]);
  return stdout.toString().trim().split("\n").filter(Boolean).map(Number);
}
