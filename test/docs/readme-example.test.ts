/** The README's library example: taken from the page, compiled with the library's declarations, run as a program. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { compile, SCRATCH } from "../support/compiled-example.js";
import { pageFiles } from "../support/page-files.js";
import { hasRunGuests } from "../support/run-command.js";

const LIMIT_MS = 120_000;

test("R1.10 the README's program has a guest run its command, and prints what that said", async (t) => {
  if (!(await hasRunGuests(t))) return;
  mkdirSync(SCRATCH, { recursive: true });
  const folder = mkdtempSync(path.join(SCRATCH, "readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [[name, text], ...others] = [...pageFiles("README.md", "ts")];
  assert.deepEqual(others, []);
  writeFileSync(path.join(folder, name), text);
  assert.deepEqual(compile(folder, [name]), []);
  const program = path.join(folder, name.replace(/ts$/, "js"));
  const options = { cwd: folder, encoding: "utf8", timeout: LIMIT_MS } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], options);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "0 x86_64\n42\n\n");
});
