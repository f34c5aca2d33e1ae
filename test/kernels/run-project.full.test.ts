/** The test suite of a real project, a Debian source package, run in a guest from a shared folder (R1.10, R3.1). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { hasRunGuests, runToEnd } from "../support/run-command.js";
import { requireSources } from "../support/source-package.js";

const HOUR = { timeout: 3_600_000 };

test("R1.10 R3.1 run: Try::Tiny's own tests pass on a shared folder, read-only here", HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const archive = await requireSources(t, "libtry-tiny-perl");
  if (archive === undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-project-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const unpacked = spawnSync("tar", ["-xf", archive, "-C", folder, "--strip-components=1"]);
  assert.equal(unpacked.status, 0, unpacked.stderr.toString());
  const before = readdirSync(folder);
  const options = ["--timeout", "50m", "-m", "1G", "--root", "debian:perl"];
  const share = ["--share", `${folder}:/tiny`, "--cwd", "/tiny"];
  const run = await runToEnd(t, [...options, ...share, "--", "prove", "-l", "t"]);
  const out = run.out.toString();
  assert.equal(run.status, 0, out + run.err);
  const files = readdirSync(path.join(folder, "t")).filter((name) => name.endsWith(".t")).length;
  assert.match(out, new RegExp(`All tests successful.\\nFiles=${files}, Tests=\\d+`));
  assert.deepEqual(readdirSync(folder), before);
});
