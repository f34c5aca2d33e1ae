/** qcow2 images judged by QEMU's tools: what they made is read, what was written here they find sound and read alike (R3.6). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test, type TestContext } from "node:test";
import type { BlockBackend } from "../../src/block/backend.js";
import type { DiskRequest } from "../../src/host/node/disk-request.js";
import { Disks } from "../../src/host/node/disks.js";
import { Random } from "../support/random.js";
import { requireTool } from "../support/requires.js";
import { disksAgree } from "./model.js";

const MIB = 2 ** 20;
const SIZE = 5 * MIB + 512;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

/** Runs a program of QEMU's; returns what it says. */
function run(tool: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: "utf8", cwd: folder });
  assert.equal(status, 0, `${path.basename(tool)} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

let made = 0;
function fresh(ending: string): string {
  return path.join(folder, `image${made++}.${ending}`);
}

/** Contents with holes, and some that can be packed. */
function contents(size = SIZE): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++)
    if ((at >> 17) % 3 !== 0) bytes[at] = (at >> 17) % 3 === 1 ? (at >> 8) & 0x3f : (at * 2654435761) >>> 24;
  return bytes;
}

function withDisk<T>(request: DiskRequest, use: (disk: BlockBackend) => T): T {
  const disks = new Disks([request]);
  try {
    return use(disks.backends.get("disk0")!);
  } finally {
    assert.equal(disks.close(), undefined);
  }
}

function readWhole(disk: BlockBackend): Uint8Array {
  const all = new Uint8Array(disk.size).fill(0x77);
  for (let at = 0; at < all.length; at += 100_000) disk.read(at, all.subarray(at, at + 100_000));
  return all;
}

/** Some hundred writes, discards and zeros, done to the disk and to an array. */
function scribble(disk: BlockBackend, model: Uint8Array, seed: number): void {
  const random = new Random(seed);
  for (let i = 0; i < 200; i++) {
    const offset = random.below(model.length / 512) * 512;
    const length = Math.min(
      model.length - offset,
      512 * (1 + random.below(random.below(10) === 0 ? 1000 : 20)),
    );
    if (random.below(8) === 0) {
      disk.writeZeroes(offset, length, random.below(2) === 0);
      model.fill(0, offset, offset + length);
    } else if (random.below(8) === 0) {
      disk.discard(offset, length);
      disk.read(offset, model.subarray(offset, offset + length));
    } else {
      const bytes = new Uint8Array(length).fill(1 + random.below(255));
      disk.write(offset, bytes);
      model.set(bytes, offset);
    }
    if (random.below(20) === 0) disk.flush();
  }
}

function tools(t: TestContext): string | undefined {
  return requireTool(t, "qemu-img");
}

/** Options of qemu-img create. */
const OPTIONS = [
  "compat=0.10",
  "compat=1.1",
  "cluster_size=512",
  "cluster_size=2M",
  "cluster_size=4096,refcount_bits=1",
  "cluster_size=512,refcount_bits=64",
  "refcount_bits=2",
  "refcount_bits=8",
  "refcount_bits=32",
  "lazy_refcounts=on",
  "preallocation=metadata",
  "preallocation=full",
];

for (const options of OPTIONS)
  test(`R3.6 qcow2: an image that qemu-img made with ${options} is read, written, and found sound`, (t) => {
    const qemuImg = tools(t);
    if (qemuImg === undefined) return;
    const [raw, image, back] = [fresh("raw"), fresh("qcow2"), fresh("raw")];
    const model = contents();
    writeFileSync(raw, model);
    run(qemuImg, "convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, image);
    withDisk({ file: image, access: "read" }, (disk) => disksAgree(readWhole(disk), model));
    withDisk({ file: image, access: "write" }, (disk) => scribble(disk, model, 7));
    run(qemuImg, "check", "-f", "qcow2", image);
    run(qemuImg, "convert", "-f", "qcow2", "-O", "raw", image, back);
    disksAgree(readFileSync(back), model);
  });

for (const options of [
  "compression_type=zlib",
  "compression_type=zstd",
  "compat=0.10",
  "cluster_size=512",
  "cluster_size=2M",
])
  test(`R3.6 qcow2: packed clusters (${options}) are read, and give way to what is written`, (t) => {
    const qemuImg = tools(t);
    if (qemuImg === undefined) return;
    const [raw, image, back] = [fresh("raw"), fresh("qcow2"), fresh("raw")];
    const model = contents();
    writeFileSync(raw, model);
    run(qemuImg, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, image);
    withDisk({ file: image, access: "memory" }, (disk) => disksAgree(readWhole(disk), model));
    withDisk({ file: image, access: "write" }, (disk) => scribble(disk, model, 9));
    run(qemuImg, "check", "-f", "qcow2", image);
    run(qemuImg, "convert", "-f", "qcow2", "-O", "raw", image, back);
    disksAgree(readFileSync(back), model);
  });

test("R3.6 qcow2: a chain of four, raw at its end, each shorter or longer than the one below", (t) => {
  const qemuImg = tools(t);
  if (qemuImg === undefined) return;
  mkdirSync(path.join(folder, "chain"), { recursive: true });
  const name = (index: number): string =>
    path.join(folder, "chain", index === 0 ? "0.raw" : `${index}.qcow2`);
  const below = contents(2 * MIB);
  writeFileSync(name(0), below);
  let model = new Uint8Array(below);
  for (const [index, size] of [2 * MIB, MIB, 3 * MIB, 3 * MIB + 512].entries()) {
    if (index === 0) continue;
    const format = index === 1 ? "raw" : "qcow2";
    run(
      qemuImg,
      "create",
      "-q",
      "-f",
      "qcow2",
      "-b",
      path.basename(name(index - 1)),
      "-F",
      format,
      name(index),
      String(size),
    );
    const next = new Uint8Array(size);
    next.set(model.subarray(0, size));
    model = next;
    withDisk({ file: name(index), access: "write" }, (disk) => scribble(disk, model, index));
  }
  withDisk({ file: name(3), access: "read" }, (disk) => disksAgree(readWhole(disk), model));
  for (const index of [1, 2, 3]) run(qemuImg, "check", name(index));
  const back = fresh("raw");
  run(qemuImg, "convert", "-O", "raw", name(3), back);
  disksAgree(readFileSync(back), model);
  disksAgree(readFileSync(name(0)), below);
});

test("R3.6 qcow2: overlay=FILE makes an overlay that QEMU knows, goes on with it, and refuses that of another disk", (t) => {
  const qemuImg = tools(t);
  if (qemuImg === undefined) return;
  for (const format of ["raw", "qcow2"]) {
    const [file, overlay] = [fresh(format), fresh("qcow2")];
    const model = contents();
    const raw = fresh("raw");
    writeFileSync(raw, model);
    run(qemuImg, "convert", "-f", "raw", "-O", format, raw, file);
    const before = readFileSync(file);
    const request: DiskRequest = { file, access: "write", overlay };
    withDisk(request, (disk) => scribble(disk, model, 1));
    withDisk(request, (disk) => {
      disksAgree(readWhole(disk), model);
      scribble(disk, model, 2);
    });
    run(qemuImg, "check", overlay);
    const info = JSON.parse(run(qemuImg, "info", "--output=json", overlay)) as Record<string, unknown>;
    assert.equal(info["backing-filename-format"], format);
    const back = fresh("raw");
    run(qemuImg, "convert", "-O", "raw", overlay, back);
    disksAgree(readFileSync(back), model);
    disksAgree(readFileSync(file), before);
    assert.throws(
      () => new Disks([{ file: raw, access: "write", overlay }]),
      /found an overlay of .*; expected one of/,
    );
  }
});

test("R3.6 qcow2: loops, words of QEMU's that are no file, and what cannot be written are refused by name", (t) => {
  const qemuImg = tools(t);
  if (qemuImg === undefined) return;
  const refused = (file: string, found: RegExp, access: DiskRequest["access"] = "read"): void =>
    assert.throws(() => new Disks([{ file, access }]), found);
  const [a, b] = [fresh("qcow2"), fresh("qcow2")];
  run(qemuImg, "create", "-q", "-f", "qcow2", "-u", "-b", b, "-F", "qcow2", a, "1M");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-u", "-b", a, "-F", "qcow2", b, "1M");
  refused(a, /a file that lies below itself/);
  const nbd = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-u", "-b", "nbd://host/disk", "-F", "raw", nbd, "1M");
  refused(nbd, /at 0x8: found the backing file nbd:/);
  const data = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-o", `data_file=${fresh("data")}`, data, "1M");
  refused(data, /an external data file/);
  const extended = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", extended, "1M");
  refused(extended, /extended L2 entries/);
  const snapshot = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", snapshot, "1M");
  run(qemuImg, "snapshot", "-c", "one", snapshot);
  refused(snapshot, /at 0x3c: found 1 snapshots/, "write");
  withDisk({ file: snapshot, access: "memory" }, (disk) => disksAgree(readWhole(disk), new Uint8Array(MIB)));
  const missing = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-u", "-b", "nowhere.raw", "-F", "raw", missing, "1M");
  refused(missing, /nowhere\.raw: found no such file/);
});

test("R3.6 qcow2: an image that QEMU left open with its counts to be made again is repaired", (t) => {
  const qemuImg = tools(t);
  const qemuIo = requireTool(t, "qemu-io");
  if (qemuImg === undefined || qemuIo === undefined) return;
  const image = fresh("qcow2");
  run(qemuImg, "create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on,compat=1.1", image, "8M");
  // It dies with what it wrote, as the iotests of QEMU have it.
  spawnSync(qemuIo, ["-c", "write -P 0x5a 0 1M", "-c", "flush", "-c", "sigraise 9", image], { cwd: folder });
  assert.equal(readFileSync(image)[79] & 1, 1, "QEMU did not leave it dirty");
  const model = new Uint8Array(8 * MIB).fill(0x5a, 0, MIB);
  withDisk({ file: image, access: "write" }, (disk) => {
    disksAgree(readWhole(disk), model);
    scribble(disk, model, 3);
  });
  run(qemuImg, "check", image);
  const back = fresh("raw");
  run(qemuImg, "convert", "-O", "raw", image, back);
  disksAgree(readFileSync(back), model);
});
