/** `--console hvc0` on a terminal (R3.5): its size from the start, after a change and after a reset. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NO_TERMINAL, nodeOnTerminal } from "../support/pseudo-terminal.js";
import { guest } from "./hvc0.js";

const LIMIT = { timeout: 240_000 };
const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

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
