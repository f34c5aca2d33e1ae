/** The test suite of a real project, built and run in a guest on a shared folder; what it built runs here as well (R1.10, R3.1). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, lstatSync, mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { hasRunGuests, runToEnd } from "../support/run-command.js";
import { requireSources } from "../support/source-package.js";

const HOUR = { timeout: 3_600_000 };
const PACKAGES = "debian:gcc,libc6-dev,make,tar,bzip2";
const SCRIPT = [
  "set -e",
  "tar xf zlib.tar --no-same-owner --strip-components=1",
  "./configure >configured 2>&1",
  "make check",
].join("\n");

test("R1.10 R3.1 run: zlib's own tests pass on a shared folder, where it was built", HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const archive = await requireSources(t, "zlib");
  if (archive === undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-project-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(archive, path.join(folder, "zlib.tar"));
  const options = ["--timeout", "50m", "-m", "1G", "--root", PACKAGES];
  const share = ["--share", `${folder}:/zlib,rw`, "--cwd", "/zlib"];
  const run = await runToEnd(t, [...options, ...share, "--", "sh", "-c", SCRIPT]);
  const out = run.out.toString();
  assert.equal(run.status, 0, out + run.err);
  for (const each of ["zlib test", "zlib shared test", "zlib 64-bit test"])
    assert.match(out, new RegExp(`\\*\\*\\* ${each} OK \\*\\*\\*`));
  // All that make made is on this side: a link as a link, and programs that find here what they found there.
  assert.ok(lstatSync(path.join(folder, "libz.so")).isSymbolicLink());
  assert.match(readlinkSync(path.join(folder, "libz.so")), /^libz\.so\.1\./);
  const here = spawnSync("./example", { cwd: folder, encoding: "utf8" });
  const there = out.slice(out.indexOf("zlib version"), out.indexOf("hello world"));
  assert.equal(here.status, 0);
  assert.ok(there.length > 0 && here.stdout.startsWith(there), here.stdout);
});
