/** Linux's own selftests by `locore run`, on three of Debian's kernels, against the same under QEMU's TCG (R1.10). */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { buildInitramfs } from "../../src/guests/index.js";
import { writeFile } from "node:fs/promises";
import { QEMU } from "../support/qemu/run.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { hasRunGuests, runToEnd } from "../support/run-command.js";
import { compiledSelftests, RUN_SELFTESTS, SELFTESTS, selftestResults } from "../support/selftests.js";

const KERNELS = ["debian-cloud", "debian-13-cloud", "debian-sid-cloud"];
const HOUR = { timeout: 3_600_000 };
const MEMORY = "768M";
/** Most pass; a few ask for what these kernels were built without. */
const PASSING = 45;

/** Longer than one test may take. */
const SILENCE_MS = 300_000;
const LOOK_MS = 1000;

/** What else `locore run` mounts, then all of it on the second serial port, which no message of the kernel reaches. */
const QEMU_COMMAND = [
  "mkdir -p /dev/pts /dev/shm",
  "mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts",
  "mount -t tmpfs -o mode=1777 tmpfs /dev/shm",
  "stty -F /dev/ttyS1 raw",
  "setsid sh /selftests.sh /selftests </dev/null >/dev/ttyS1 2>&1",
].join("\n");

/** QEMU 7.2 comes to a standstill with Debian sid's kernel in a test of LDTs, the guest's timers too: what it had found by then counts. */
function endedWhenSilent(child: ChildProcess, output: string): NodeJS.Timeout {
  let [before, since] = [-1, performance.now()];
  return setInterval(() => {
    const size = existsSync(output) ? statSync(output).size : 0;
    if (size !== before) [before, since] = [size, performance.now()];
    else if (performance.now() - since > SILENCE_MS) child.kill("SIGKILL");
  }, LOOK_MS);
}

/** What the selftests print under QEMU as a CPU of Intel's, which SYSENTER is for, or undefined after the test was skipped. */
async function underQemu(t: TestContext, kernel: string, programs: string): Promise<string | undefined> {
  const busybox = await requireGuest(t, "busybox");
  const qemu = requireTool(t, QEMU);
  if (busybox === undefined || qemu === undefined) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-selftests-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [initrd, output] = [path.join(folder, "initrd"), path.join(folder, "output")];
  const script = path.join(folder, "selftests.sh");
  writeFileSync(script, RUN_SELFTESTS);
  const files = [
    { to: "/selftests", from: programs },
    { to: "/selftests.sh", from: script },
  ];
  await writeFile(
    initrd,
    buildInitramfs({ busybox: busybox.files["busybox"], files, command: QEMU_COMMAND }),
  );
  const child = spawn(
    qemu,
    [
      ...["-M", "pc", "-accel", "tcg", "-cpu", "max,vendor=GenuineIntel", "-m", MEMORY],
      ...["-nodefaults", "-display", "none", "-no-reboot", "-serial", "null", "-serial", `file:${output}`],
      ...["-kernel", kernel, "-initrd", initrd],
      ...["-append", "console=ttyS0 panic=-1 cryptomgr.notests=1 quiet"],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  t.after(() => child.kill("SIGKILL"));
  const watch = endedWhenSilent(child, output);
  await once(child, "close");
  clearInterval(watch);
  return readFileSync(output, "latin1");
}

for (const kernel of KERNELS)
  test(
    `R1.10 run ${kernel}: ${SELFTESTS.length} of Linux's selftests find what they find under QEMU`,
    HOUR,
    async (t) => {
      const guest = await requireGuest(t, kernel);
      if (guest === undefined || !(await hasRunGuests(t))) return;
      const programs = await compiledSelftests(t);
      if (programs === undefined) return;
      const share = ["--share", `${programs}:/selftests`, "--cwd", "/"];
      const command = ["sh", "-c", RUN_SELFTESTS, "sh", "/selftests"];
      const run = await runToEnd(t, [kernel, "--timeout", "40m", "-m", MEMORY, ...share, "--", ...command]);
      assert.equal(run.status, 0, run.err);
      const ours = selftestResults(run.out.toString("latin1"));
      assert.deepEqual([...ours.keys()], SELFTESTS);
      const passing = [...ours.values()].filter(({ status }) => status === 0).length;
      t.diagnostic(`${passing} of ${SELFTESTS.length} end with status 0`);
      assert.ok(passing >= PASSING, `${passing} of ${SELFTESTS.length} end with status 0`);
      const theirs = await underQemu(t, guest.files["kernel"], programs);
      if (theirs === undefined) return;
      const found = selftestResults(theirs);
      t.diagnostic(`${found.size} of ${SELFTESTS.length} came to an end under QEMU`);
      assert.ok(found.size >= PASSING, `${found.size} came to an end under QEMU`);
      assert.deepEqual(new Map([...ours].filter(([name]) => found.has(name))), found);
    },
  );
