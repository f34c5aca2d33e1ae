/** Kernels of very many segments and machines of very many modules, from the files to a guest that runs (R1.3, R1.6). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { manySegments } from "../support/many-segments.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

const OPEN_FILES = 128;
const MODULES = 1000;
const skip = process.platform === "win32" ? "needs a shell that limits open files" : false;

test("R1.3 a thousand modules are read by a process that may have 128 files open", { skip }, () => {
  const kernel = path.join(folder, "kernel");
  writeFileSync(kernel, manySegments(1, { pvh: true }));
  const module = path.join(folder, "module");
  writeFileSync(module, "a module");
  const options = Array.from({ length: MODULES }, (_, i) => ["--module", `${module} number-${i}`]).flat();
  const limited = `ulimit -n ${OPEN_FILES} && exec "$0" "$@"`;
  const { status, stdout, stderr } = spawnSync("sh", [
    "-c",
    limited,
    process.execPath,
    PROGRAM,
    "plan",
    kernel,
    "--summary",
    ...options,
  ]);
  assert.equal(stderr.toString(), "");
  assert.equal(status, 0);
  const modules = stdout
    .toString()
    .split("\n")
    .filter((line) => line.includes("module "));
  assert.equal(modules.length, MODULES);
  modules.forEach((line, i) => assert.ok(line.endsWith(` number-${i}`), line));
});

test("R1.6 a kernel of 65,533 segments runs soon after it was asked for", () => {
  const kernel = path.join(folder, "segments");
  writeFileSync(kernel, manySegments(65_533));
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", kernel]);
  assert.match(stderr.toString(), /halted by interrupts-off.* 1 instructions/);
  assert.equal(status, EXIT_STATUS.ok);
  // It took minutes; it takes about one second.
  assert.ok(performance.now() - started < 20_000);
});
