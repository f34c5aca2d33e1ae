/** `locore run` many times: in a row, at once, with much to carry, on other kernels, with other roots (R1.10). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { requireGuest } from "../support/requires.js";
import { hasRunGuests, runToEnd } from "../support/run-command.js";

const AT_ONCE = 20;
const IN_A_ROW = 500;
const MUCH = 100_000_000;
const HOUR = { timeout: 3_600_000 };
const KERNELS = ["debian-13-cloud", "debian-sid-cloud", "debian-amd64", "debian-rt"];

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test(`R1.10 run: ${MUCH} bytes from stdin to stdout, and as many to stderr, unchanged`, HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const input = Buffer.alloc(MUCH, "0123456789abcdef\n");
  const words = ["--timeout", "30m", "--", "sh", "-c", "tee /dev/stderr"];
  const { status, out, err } = await runToEnd(t, words, { input });
  assert.equal(status, 0);
  assert.equal(digest(out), digest(input));
  assert.equal(digest(Buffer.from(err).subarray(0, MUCH)), digest(input));
});

test(`R1.10 run: ${AT_ONCE} at once, each with its own streams and status`, HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const each = [...Array(AT_ONCE).keys()];
  const words = (n: number): string[] => ["--timeout", "20m", "--", "sh", "-c", `echo ${n}; exit ${n}`];
  const runs = await Promise.all(each.map((n) => runToEnd(t, words(n))));
  assert.deepEqual(
    runs.map(({ status, out }) => [status, out.toString()]),
    each.map((n) => [n, `${n}\n`]),
  );
});

test(`R1.10 run: ${IN_A_ROW} in a row, and no file is left`, HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const before = readdirSync(tmpdir()).length;
  for (let n = 0; n < IN_A_ROW; n++) {
    const run = await runToEnd(t, ["--", "sh", "-c", `cat; exit ${n % 100}`], { input: Buffer.from(`${n}`) });
    assert.deepEqual([run.status, run.out.toString()], [n % 100, `${n}`], `run ${n}: ${run.err}`);
  }
  assert.ok(readdirSync(tmpdir()).length <= before + 1);
});

for (const kernel of KERNELS)
  test(
    `R1.10 run ${kernel}: its modules come from its package, the current folder is there`,
    HOUR,
    async (t) => {
      if ((await requireGuest(t, kernel)) === undefined || !(await hasRunGuests(t))) return;
      const run = await runToEnd(t, [kernel, "--", "sh", "-c", "uname -r; pwd; exit 5"]);
      assert.equal(run.status, 5, run.err);
      assert.match(run.out.toString(), new RegExp(`^\\d[^\\n]*\\n${process.cwd()}\\n$`));
    },
  );

test(
  "R1.10 run --root host and debian:PACKAGE: the programs of either, and nothing written here",
  HOUR,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const host = await runToEnd(t, [
      "--root",
      "host",
      "--",
      "sh",
      "-c",
      "ls --version | head -1; pwd; echo >/etc/by-guest",
    ]);
    assert.equal(host.status, 0, host.err);
    assert.match(host.out.toString(), new RegExp(`^ls \\(GNU coreutils\\)[^\\n]*\\n${process.cwd()}\\n$`));
    assert.ok(!readdirSync("/etc").includes("by-guest"));
    const packages = await runToEnd(t, [
      "--root",
      "debian:bash,coreutils",
      "--",
      "bash",
      "-c",
      "ls --version | head -1",
    ]);
    assert.match(packages.out.toString(), /^ls \(GNU coreutils\)/, packages.err);
    const shell = await runToEnd(t, [
      "--root",
      "debian:coreutils",
      "--",
      "sh",
      "-c",
      "ls --version | head -1",
    ]);
    assert.match(
      shell.out.toString(),
      /^ls \(GNU coreutils\)/,
      "sh takes the package's program, not busybox's",
    );
  },
);

test("R1.10 run: neither found nor executable is 127 and 126", HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const statuses = [];
  for (const command of ["no-such-command", "/etc/passwd", "/etc", "true", "false"])
    statuses.push((await runToEnd(t, ["--", command])).status);
  assert.deepEqual(statuses, [127, 126, 126, 0, 1]);
});
