/** Real kernels through the command line and its thread, in real time: what issue and README promise a user. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { exitStatusIn } from "../../src/guests/index.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { requireGuest } from "../support/requires.js";

const LIMIT = { timeout: 280_000 };
const COMMAND_LINE = `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`;
/** `printf 'hello from the host\n' | sha256sum` */
const HELLO_DIGEST = "e4a985feba6c291b0de2319ce53b41e44d6a1413c535c586a649e896ac623743";

test("R3.1 npm start without a terminal: the kernel's banner, computed lines, status 0", LIMIT, async (t) => {
  if (!(await requireGuest(t, "debian-cloud")) || !(await requireGuest(t, "busybox"))) return;
  const run = locore(["demo"]).during(t);
  run.child.stdin.end();
  const { status, out, err } = await run.ended;
  assert.equal(status, 0, out.slice(-2000) + err);
  assert.match(out, /^\[ +0\.000000\] Linux version 6\.1\./m);
  assert.ok(out.includes(`${HELLO_DIGEST}  /root/hello.txt`));
  assert.match(out, /^awk: pi = 3\.141592653590\r$/m);
  assert.equal(exitStatusIn(out), 0);
  assert.match(err, /^locore: off by acpi-s5 \(status 0, [\d,]+ instructions\)$/m);
});

test(
  "a pipe's commands reach the guest's shell whole; --json and --log tell of the run",
  LIMIT,
  async (t) => {
    const files = await kernelFiles(t, { shell: true });
    if (files === undefined) return;
    const log = path.join(files.folder, "console.log");
    const words = ["-append", `${COMMAND_LINE} quiet`, "-o", "loader.entry=32", "--json", "--log", log];
    const run = locore(["boot", "-kernel", files.kernel, "-initrd", files.initrd, ...words]).during(t);
    run.child.stdin.end("echo product=$((6*7))\npoweroff -f\n");
    const { status, out, err } = await run.ended;
    assert.equal(status, 0, out + err);
    assert.match(out, /^product=42\r$/m);
    const end = JSON.parse(err.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    assert.equal(end["kind"], "off");
    assert.equal(end["route"], "acpi-s5");
    assert.equal(await readFile(log, "latin1"), out);
  },
);

test(
  "without initrd and with panic=-1 the panic is shown, and the status is 4 with its line",
  LIMIT,
  async (t) => {
    const files = await kernelFiles(t, {});
    if (files === undefined) return;
    const run = locore(["boot", files.kernel, "--append", `${COMMAND_LINE} panic=-1`]).during(t);
    const { status, out, err } = await run.ended;
    assert.equal(status, 4, err);
    assert.match(out, /Kernel panic - not syncing: VFS: Unable to mount root fs/);
    assert.match(err, /^locore: crashed, reset by port-cf9: Kernel panic - not syncing: VFS.* \(status 4, /m);
  },
);

test(
  "R6.3 two --deterministic boots at once print the same bytes and count the same instructions",
  LIMIT,
  async (t) => {
    const files = await kernelFiles(t, {
      command: "od -An -tx1 -N16 /dev/urandom; cat /proc/uptime; date; sleep 2",
    });
    if (files === undefined) return;
    const words = [
      "boot",
      files.kernel,
      "--initrd",
      files.initrd,
      "--append",
      COMMAND_LINE,
      "--deterministic",
    ];
    const [first, second] = await Promise.all([1, 2].map(() => locore(words).during(t).ended));
    assert.equal(first.status, 0, first.out + first.err);
    assert.equal(exitStatusIn(first.out), 0);
    assert.equal(second.out, first.out);
    assert.equal(second.err, first.err);
  },
);

test("--timeout ends a kernel with status 124", LIMIT, async (t) => {
  const files = await kernelFiles(t, {});
  if (files === undefined) return;
  const { status, err } = await locore(["boot", files.kernel, "--timeout", "1"]).during(t).ended;
  assert.equal(status, 124, err);
  assert.match(err, /^locore: timeout by time limit.*\(status 124, /m);
});

test("R1.4 kill -9 leaves nothing behind: no process, no file", LIMIT, async (t) => {
  const files = await kernelFiles(t, { shell: true });
  if (files === undefined) return;
  const home = path.join(files.folder, "home");
  await mkdir(home);
  const env = { PATH: process.env["PATH"], HOME: home, TMPDIR: home, XDG_CACHE_HOME: home };
  const words = ["boot", files.kernel, "--initrd", files.initrd, "--append", COMMAND_LINE];
  const run = locore(words, { env, detached: true, cwd: home }).during(t);
  await run.shows("Linux version");
  const group = run.child.pid ?? 0;
  run.child.kill("SIGKILL");
  assert.equal((await run.ended).signal, "SIGKILL");
  assert.throws(() => process.kill(-group, 0), { code: "ESRCH" }, "no process of its group is left");
  const left = await readdir(home, { recursive: true });
  // What was compiled for the next start stays in the cache.
  assert.deepEqual(
    left.filter((name) => !/^locore(\/compiled(\/[^/]*)*)?$/.test(name) || name.endsWith(".tmp")),
    [],
  );
});

for (const [what, options, line] of [
  ["told not to ask a BIOS", "loader.name=multiboot2", "console=com1 com1=115200,8n1 noreboot no-real-mode"],
  [
    "with SeaBIOS before it",
    "loader.name=multiboot2,loader.bios=on",
    "console=com1 com1=115200,8n1 noreboot",
  ],
] as const) {
  test(`R1.3 locore boot xen-4.17-amd64.gz, ${what}: Xen's banner`, LIMIT, async (t) => {
    const xen = await requireGuest(t, "xen");
    if (!xen || !(await requireGuest(t, "seabios"))) return;
    const run = locore(["boot", xen.files["kernel"], "-o", options, "--append", line]).during(t);
    run.child.stdin.end();
    const { status, out, err } = await run.ended;
    assert.equal(/SeaBIOS \(version/.test(out), options.includes("bios"));
    assert.match(out, /\(XEN\) Xen version 4\.17\.\d+ \(Debian/, out.slice(-2000) + err);
    assert.match(out, /^\(XEN\) Bootloader: locore/m);
    assert.match(out, /dom0 kernel not specified/);
    assert.match(err, /locore: halted by interrupts-off: .* \(status 0, /);
    assert.equal(status, 0);
  });
}
