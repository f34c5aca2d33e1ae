/**
 * A disk that is full while a guest is fetched: at the lists, their index, the package, the files. The disk is a tmpfs of
 * that size, in a mount name space of the process that pulls; a server of ours is the archive.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { pullGuest } from "../../src/guests/index.js";
import { servedBench, setEnvironment } from "../support/apt-bench.js";
import { kernelPackages } from "../support/guest-packages.js";
import { requireTool } from "../support/requires.js";
import { NO_DISK, onDisk } from "../support/small-disk.js";
import type { FullDiskReport } from "./full-disk-worker.js";

const WORKER = fileURLToPath(new URL("full-disk-worker.js", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LIMIT = { timeout: 120_000 };
/** Far below the time after which a transfer without progress is given up. */
const PROMPT_MS = 20_000;

const ON_A_DISK = { ...LIMIT, skip: NO_DISK };

/** Pulls the kernel onto a disk of `size`, then again with more room. */
async function pullOnto(
  t: TestContext,
  size: string,
  about: { kernel: string; lists: number; squeezed?: true; stallMs?: number },
) {
  const made = await servedBench(t);
  if (!made) return undefined;
  // Half of the digits can be squeezed out of the lists, no more.
  const filler = { name: "filler", version: "1", description: randomBytes(about.lists / 2).toString("hex") };
  const kernels = kernelPackages("50", about.kernel).map((one) => ({
    ...one,
    squeezed: about.squeezed ?? false,
  }));
  await made.repository.publish([...kernels, { ...filler, files: [] }]);
  const mount = path.join(made.options.cacheFolder, "..", "disk");
  await mkdir(mount);
  const words = [mount, "64m", ...(about.stallMs === undefined ? [] : [String(about.stallMs)])];
  const { out, err } = await onDisk(mount, size, [process.execPath, WORKER, ...words]).ended;
  assert.ok(out.startsWith("{"), err);
  return JSON.parse(out) as FullDiskReport;
}

/** What holds wherever the disk was full. */
function assertClean(report: FullDiskReport): void {
  const { fault, code, message, elapsed, cache, partial, believed, version } = report;
  assert.deepEqual({ fault, code }, { fault: "storage", code: "ENOSPC" });
  assert.equal(message.split("\n").length, 1, message);
  assert.match(message, /: no space left for it \(.* free.*\); free some room there, or set XDG_CACHE_HOME/);
  assert.ok(elapsed < PROMPT_MS, `took ${elapsed} ms`);
  const strangers = cache.filter((name) => !["apt", "guests"].includes(name));
  assert.deepEqual(strangers, [], "neither a lock nor unfinished work is left");
  assert.deepEqual(partial, []);
  assert.equal(believed, undefined);
  assert.equal(version, "6.1.50-1", "with room it is pulled");
}

test("guests: a disk that is full before anything is written is told", ON_A_DISK, async (t) => {
  const report = await pullOnto(t, "4k", { kernel: "kernel", lists: 100 });
  if (!report) return;
  assertClean(report);
  assert.match(report.message, /^cannot write \S.* to \S+\/locore/);
});

test("guests: a disk that is full while lists are fetched is told", ON_A_DISK, async (t) => {
  const report = await pullOnto(t, "600k", { kernel: "kernel", lists: 2_000_000 });
  if (!report) return;
  assertClean(report);
  assert.match(
    report.message,
    /^cannot write the package lists of bookworm amd64 to \S+\/apt\/bookworm-amd64: /,
  );
});

test(
  "guests: an apt that waits for ever on a full disk is ended, and the disk is told",
  ON_A_DISK,
  async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), "locore-stub-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const apt = requireTool(t, "apt-get");
    if (apt === undefined) return;
    // Its first run fills the disk and waits; later ones are the real one's.
    const fill = `touch ${folder}/ran; cat /dev/zero 2>/dev/null > "$PWD/lists/partial/half"; exec sleep 600`;
    const stub = `#!/bin/sh\n[ -e ${folder}/ran ] || { ${fill}; }\nexec ${apt} "$@"\n`;
    await writeFile(path.join(folder, "apt-get"), stub, { mode: 0o755 });
    setEnvironment(t, { PATH: `${folder}${path.delimiter}${process.env["PATH"]}` });
    const report = await pullOnto(t, "600k", { kernel: "kernel", lists: 100, stallMs: 1_000 });
    if (!report) return;
    assertClean(report);
    assert.match(report.message, /^cannot write the package lists/);
  },
);

test(
  "guests: a disk that is full while a package is downloaded is told, with what it takes",
  ON_A_DISK,
  async (t) => {
    const report = await pullOnto(t, "3m", { kernel: "k".repeat(4_000_000), lists: 100 });
    if (!report) return;
    assertClean(report);
    assert.match(
      report.message,
      /^cannot write linux-image-6\.1\.0-50-cloud-amd64 6\.1\.50-1 to .* free, 3\.8 MiB needed/,
    );
  },
);

test(
  "guests: a disk that is full while the files are stored is told, and no record is left",
  ON_A_DISK,
  async (t) => {
    const report = await pullOnto(t, "3m", { kernel: "k".repeat(4_000_000), lists: 100, squeezed: true });
    if (!report) return;
    assertClean(report);
    assert.match(report.message, /^cannot write debian-cloud 6\.1\.50-1 to \S+\/locore: .* MiB needed/);
  },
);

test("initramfs: a full disk is one line, and no part of the file is left", ON_A_DISK, async (t) => {
  const made = await servedBench(t);
  if (!made) return;
  const busybox = { name: "./bin/busybox", text: "b".repeat(300_000) };
  await made.repository.publish([{ name: "busybox-static", version: "1", files: [busybox] }]);
  setEnvironment(t, { XDG_CACHE_HOME: path.dirname(made.options.cacheFolder) });
  await pullGuest("busybox", { cacheFolder: path.join(path.dirname(made.options.cacheFolder), "locore") });
  const mount = path.join(made.options.cacheFolder, "..", "disk");
  await mkdir(mount);
  const output = path.join(mount, "initrd");
  const script = '"$@" || echo "status $?"; ls -A "$0"';
  const command = ["sh", "-c", script, mount, process.execPath, PROGRAM, "initramfs", "-o", output];
  const { out, err } = await onDisk(mount, "100k", command).ended;
  assert.equal(err, `locore: output ${output}: no space left for it\n`);
  assert.match(out, /^status \d+\n$/);
});
