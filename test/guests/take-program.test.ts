/** The program that takes a run's command, as a process of this host where that is one of its kind (R1.10). */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { commandBytes } from "../../src/guests/index.js";
import { takeProgram } from "../../src/guests/initramfs/take-program.js";
import { scratch } from "../support/built-tree.js";

const CONTROL = 9;
const EXECUTABLE = 0o755;
/** A shell's `ulimit -f 1` in bytes. */
const ROOM = 512;
const skip = process.platform !== "linux" || process.arch !== "x64";

test(
  "R1.10 take: a text is there whole, or the program says that it is not: a disk without room",
  { skip },
  async (t) => {
    const folder = scratch(t);
    const [program, taken] = ["take", "taken"].map((name) => path.join(folder, name));
    writeFileSync(program, takeProgram(), { mode: EXECUTABLE });
    const take = async (text: string, before: string): Promise<number> => {
      const stdio = Array.from({ length: CONTROL + 1 }, (_, at) => (at === CONTROL ? "pipe" : "ignore"));
      const script = `${before} exec "$1" >"$2"`;
      const child = spawn("/bin/sh", ["-c", script, "sh", program, taken], { stdio: stdio as "pipe"[] });
      const control = (child.stdio as readonly unknown[])[CONTROL] as Duplex;
      // A program that fails takes no more of it.
      control.on("error", () => undefined);
      control.write(commandBytes(text));
      control.resume();
      const [status] = (await once(child, "exit")) as [number];
      return status;
    };
    const long = "0123456789".repeat(1000);
    assert.equal(await take(long, ""), 0);
    assert.equal(readFileSync(taken, "latin1"), long);
    assert.equal(await take("x".repeat(ROOM), "ulimit -f 1;"), 0);
    assert.equal(await take("x".repeat(ROOM + 1), "ulimit -f 1;"), 1);
  },
);
