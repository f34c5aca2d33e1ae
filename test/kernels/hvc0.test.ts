/**
 * `--console hvc0` as a person has it, with a kernel that has no other console (R3.5): bytes as they are both ways, the terminal's
 * size from the start, after a change and after a reset, and a saved machine that goes on.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { requireLibkrunfw } from "../support/libkrunfw.js";
import { NO_TERMINAL, nodeOnTerminal } from "../support/pseudo-terminal.js";
import { randomBytes } from "../support/random.js";

const LIMIT = { timeout: 240_000 };
const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const SIZE = 100_000;
/** Nothing of the kernel's between the guest's bytes. */
const MACHINE = ["--console", "hvc0", "--announce", "cmdline", "--append", "console=hvc0 quiet loglevel=1"];

interface Guest {
  words: string[];
  folder: string;
}

/** A machine whose init runs `script`, or undefined after the test was skipped. */
async function guest(t: TestContext, script: string): Promise<Guest | undefined> {
  const kernel = await requireLibkrunfw(t);
  if (kernel === undefined) return undefined;
  const made = await kernelFiles(t, { command: script, end: "reboot" });
  return made && { words: [kernel, "--initrd", made.initrd, ...MACHINE], folder: made.folder };
}

test("R3.5 every byte goes through hvc0 as it is, both ways", LIMIT, async (t) => {
  const bytes = randomBytes(31, SIZE);
  const made = await guest(
    t,
    `stty raw -echo < /dev/hvc0
     echo ready
     head -c ${SIZE} /dev/hvc0 > /tmp/in
     printf begin; cat /tmp/in; printf end`,
  );
  if (made === undefined) return;
  const run = locore(["boot", ...made.words, "--no-reboot"]).during(t);
  await run.shows("ready");
  run.child.stdin.end(bytes);
  const { out, err } = await run.ended;
  const sent = Buffer.from(bytes).toString("latin1");
  assert.ok(out.includes(`begin${sent}end`), `${out.length} bytes; ${err}`);
});

const RESIZED = `
show() { echo "size=$(stty -F /dev/hvc0 size)"; }
echo booted
show
trap show WINCH
echo waiting
n=0; while [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); [ "$(stty -F /dev/hvc0 size)" = "50 132" ] && break; done
show`;

test(
  "R3.5 the guest has the terminal's size: at first, when it changes, and after a reset",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    const made = await guest(t, RESIZED);
    if (made === undefined) return;
    const flag = path.join(made.folder, "resize");
    const wrapper = path.join(made.folder, "sized.mjs");
    // The terminal that it stands on is given a size before and while the machine runs.
    writeFileSync(
      wrapper,
      `import { spawn, spawnSync } from "node:child_process";
     import { existsSync } from "node:fs";
     const size = (...words) => spawnSync("stty", words, { stdio: ["inherit", "ignore", "inherit"] });
     size("cols", "101", "rows", "37");
     const child = spawn(process.execPath, process.argv.slice(2), { stdio: "inherit" });
     const watch = setInterval(() => {
       if (!existsSync(${JSON.stringify(flag)})) return;
       clearInterval(watch);
       size("cols", "132", "rows", "50");
     }, 50);
     process.on("SIGINT", () => undefined);
     child.on("exit", (status) => process.exit(status));`,
    );
    const run = nodeOnTerminal([wrapper, PROGRAM, "boot", ...made.words, "--max-resets", "1"]).during(t);
    const first = await run.shows("size=37 101");
    await run.shows("waiting", first);
    writeFileSync(flag, "");
    const changed = await run.shows("size=50 132", first);
    const again = await run.shows("booted", changed);
    const waiting = await run.shows("waiting", again);
    assert.match(run.out.slice(again, waiting), /^\s*size=50 132\s*waiting$/);
    await run.ended;
  },
);

test("R3.5 R6.2 a machine whose console is hvc0 is saved, and goes on with its keys", LIMIT, async (t) => {
  const made = await guest(t, `stty raw -echo < /dev/hvc0; echo ready; read -r word; echo "word=$word"`);
  if (made === undefined) return;
  const file = path.join(made.folder, "hvc0.snap");
  const saved = await locore([
    "boot",
    ...made.words,
    "--rng",
    "--balloon",
    "16M",
    "--snapshot-at",
    "ready",
    "--snapshot",
    file,
  ]).during(t).ended;
  assert.match(saved.out, /ready/, saved.err);
  const again = locore(["restore", file, "--no-reboot"]).during(t);
  again.child.stdin.end("typed\n");
  const { out, err } = await again.ended;
  assert.match(out, /word=typed/, err);
});
