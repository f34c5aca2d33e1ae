/**
 * FreeBSD's own kernels, as `locore boot` takes them with no further word (R2.1, R3.1, R3.2, R3.4). They are in no package that can be
 * fetched: LOCORE_FREEBSD names a folder with `*.kernel` files; without it there is nothing to test.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Running } from "../support/pseudo-terminal.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LIMIT = { timeout: 240_000 };
/** Kernels whose name says that their root is in them end by themselves; the others ask for one. */
const WITH_ROOT = /root\.kernel$/;

const folder = process.env["LOCORE_FREEBSD"];
const kernels = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".kernel"));

for (const name of kernels) {
  const file = path.join(folder ?? "", name);
  for (const cpus of [1, 2, 4]) {
    test(
      `R2.1 R4.1 ${name} on ${cpus} CPU(s): console, clocks and CPUs with no further word`,
      LIMIT,
      async (t) => {
        const run = new Running(process.execPath, [PROGRAM, "boot", file, "--smp", String(cpus)]).during(t);
        if (WITH_ROOT.test(name)) {
          const { status, out, err } = await run.ended;
          assert.equal(status, 0, err);
          assert.match(out, /children ok 200 bad 0/);
          assert.match(err, /off by acpi-s5/);
        } else {
          await run.shows("mountroot>");
          run.child.kill("SIGTERM");
          await run.ended;
        }
        assert.doesNotMatch(run.out, /panic|TSC not initialized/);
        assert.match(run.out, /Timecounter "TSC" frequency 1000000000 Hz/);
        if (cpus > 1) assert.match(run.out, new RegExp(`Multiprocessor System Detected: ${cpus} CPUs`));
      },
    );
  }
}
