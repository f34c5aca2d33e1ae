/** `locore run` many times: in a row, at once, with much to carry, on other kernels, with other roots (R1.10). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { defaultCacheFolder } from "../../src/guests/cache/folder.js";
import { pullModules } from "../../src/guests/index.js";
import { oopsing } from "../support/oopsing-module.js";
import { childrenOf } from "../support/pseudo-terminal.js";
import { requireGuest } from "../support/requires.js";
import { builtTree, scratch } from "../support/built-tree.js";
import { hasRunGuests, runToEnd, startRun } from "../support/run-command.js";

const AT_ONCE = 20;
const IN_A_ROW = Number(process.env["LOCORE_RUNS"] ?? 500);
/** Before each of so many a further one is killed. */
const KILLED_EACH = 20;
/** Compiled parts of ourselves stay, and the guests. */
const KEPT_IN_CACHE = ["compiled", "guests", "warm"];
const MUCH = 100_000_000;
const HOUR = { timeout: 3_600_000 };
const LONG = { timeout: 4 * 3_600_000 };
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

test("R1.10 run: a module that oopses: 125, oops, and where it was", HOUR, async (t) => {
  const kernel = await requireGuest(t, "debian-cloud");
  if (!kernel || !(await hasRunGuests(t))) return;
  const module = await (await pullModules(kernel)).read("nls_ascii");
  const folder = mkdtempSync(path.join(tmpdir(), "locore-oops-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, "bad.ko"), oopsing(module!));
  const run = await runToEnd(t, ["--share", `${folder}:/bad`, "--", "insmod", "/bad/bad.ko"]);
  assert.deepEqual([run.status, run.json.reason], [125, "oops"], run.err);
  assert.match(run.json.message ?? "", /BUG: kernel NULL pointer dereference, address: 0000000000000000/);
  assert.match(run.err, /RIP: 0010:init_nls_ascii\+0x0\//);
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

/** Temporary files and a cache of one's own, so that what is left there was left by these runs. */
class OwnPlace {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "locore-runs-"));
  readonly env = {
    TMPDIR: path.join(this.#folder, "tmp"),
    XDG_CACHE_HOME: path.join(this.#folder, "cache"),
  };

  constructor(t: TestContext) {
    t.after(() => rmSync(this.#folder, { recursive: true, force: true }));
    mkdirSync(this.env.TMPDIR);
    mkdirSync(path.join(this.env.XDG_CACHE_HOME, "locore"), { recursive: true });
    symlinkSync(
      path.join(defaultCacheFolder(), "guests"),
      path.join(this.env.XDG_CACHE_HOME, "locore/guests"),
    );
  }

  /** Files, a lock and unfinished work of the cache, sockets with a name, processes. */
  left(): string[] {
    const processes = readdirSync("/proc").filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, "latin1").includes(this.#folder);
      } catch {
        return false;
      }
    });
    const cached = readdirSync(path.join(this.env.XDG_CACHE_HOME, "locore"));
    return [
      ...readdirSync(this.env.TMPDIR),
      ...cached.filter((name) => !KEPT_IN_CACHE.includes(name)),
      ...readFileSync("/proc/net/unix", "latin1")
        .split("\n")
        .filter((line) => line.includes(this.#folder)),
      ...processes.map((name) => `process ${name}`),
    ];
  }
}

test(
  `R1.10 run: ${IN_A_ROW} in a row, some of them killed by kill -9: no file, process, socket or lock is left`,
  LONG,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const place = new OwnPlace(t);
    for (let n = 0; n < IN_A_ROW; n++) {
      const input = Buffer.from(`${n}`);
      if (n % KILLED_EACH === 0) {
        const killed = startRun(t, ["--", "sh", "-c", "echo begun; sleep 1000"], { env: place.env });
        await killed.shows("begun");
        process.kill(killed.pid, "SIGKILL");
        await killed.ended;
        assert.deepEqual(place.left(), [], `run ${n}, which was killed`);
      }
      const run = await runToEnd(t, ["--", "sh", "-c", `cat; exit ${n % 100}`], { input, env: place.env });
      assert.deepEqual([run.status, run.out.toString()], [n % 100, `${n}`], `run ${n}: ${run.err}`);
    }
    assert.deepEqual(place.left(), []);
    const kept = readdirSync(path.join(place.env.XDG_CACHE_HOME, "locore/warm"));
    assert.deepEqual(kept.map((name) => path.extname(name)).sort(), [".json", ".snap"], kept.join(" "));
  },
);

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

test(
  "R1.10 run: a stuck CPU ends the run from the command on, not while the kernel unpacks; --append counts",
  HOUR,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const command = ["--", "cat", "/proc/sys/kernel/softlockup_panic", "/proc/cmdline"];
    const usual = await runToEnd(t, command);
    assert.match(usual.out.toString(), /^1\n(?!.*softlockup_panic)/, usual.err);
    const own = await runToEnd(t, ["--append", "softlockup_panic=0", ...command]);
    assert.match(own.out.toString(), /^0\n/, own.err);
  },
);

test("R1.10 R3.1 run: a kernel that has 9P and no FUSE has its folders by that", HOUR, async (t) => {
  const guest = await requireGuest(t, "debian-amd64");
  if (guest === undefined || !(await hasRunGuests(t))) return;
  const tree = await builtTree(t, guest, ["9pnet_virtio", "9p"]);
  const cwd = scratch(t);
  writeFileSync(path.join(cwd, "one"), "one\n");
  const script = "cat one; echo two >one; cat one; grep -c ' 9p ro' /proc/mounts; echo done >/out/new";
  const out = scratch(t);
  const words = [tree, "--share", `${out}:/out,rw`, "--", "sh", "-c", script];
  const run = await runToEnd(t, words, { cwd });
  assert.equal(run.out.toString(), "one\ntwo\n1\n", run.err);
  assert.equal(run.status, 0);
  assert.deepEqual(
    ["one", "new"].map((name, i) => readFileSync(path.join([cwd, out][i], name), "utf8")),
    ["one\n", "done\n"],
  );
});

test(
  "R1.10 run --timeout: 124 whatever the guest does, a fork bomb too; nothing is left",
  HOUR,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const run = await runToEnd(t, ["--timeout", "12s", "--", "sh", "-c", "f() { f | f & }; f; sleep 1000"]);
    assert.deepEqual([run.status, run.json.reason], [124, "timeout"], run.err);
  },
);

test(
  "R1.10 run: a kernel without virtio is refused before it boots where its modules say so, and by the guest otherwise",
  HOUR,
  async (t) => {
    const guest = await requireGuest(t, "debian-cloud");
    if (guest === undefined || !(await hasRunGuests(t))) return;
    const folder = scratch(t);
    const kernel = path.join(folder, "vmlinuz");
    copyFileSync(guest.files["kernel"], kernel);
    const unknown = await runToEnd(t, [kernel, "--", "true"]);
    assert.deepEqual([unknown.status, unknown.json.reason], [125, "no-virtio"], unknown.err);
    assert.match(unknown.json.message ?? "", /this kernel has no virtio/);
    const version = path.basename(guest.files["kernel"]).replace("vmlinuz-", "");
    const modules = path.join(folder, "lib/modules", version);
    mkdirSync(modules, { recursive: true });
    writeFileSync(path.join(modules, "modules.builtin"), "kernel/fs/ext4/ext4.ko\n");
    const refused = await runToEnd(t, [kernel, "--", "true"]);
    assert.deepEqual([refused.status, refused.json.reason], [125, "no-virtio"], refused.err);
    assert.match(refused.json.message ?? "", /neither has virtio_mmio, virtio_console built in/);
    assert.doesNotMatch(refused.err, /last messages/);
  },
);

test("R1.10 run: kill -9 leaves no process and no file", HOUR, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const before = new Set(readdirSync(tmpdir()));
  const killed = startRun(t, ["--", "sh", "-c", "echo begun; sleep 1000"]);
  await killed.shows("begun");
  assert.deepEqual(childrenOf(killed.pid), []);
  process.kill(killed.pid, "SIGKILL");
  await killed.ended;
  assert.ok(!existsSync(`/proc/${killed.pid}`));
  const others = /^(locore|node)-/;
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => !before.has(name) && !others.test(name)),
    [],
  );
});
