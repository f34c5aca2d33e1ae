/** Disks on the host: what can be one, what becomes of what is written, and flushing beside the machine's thread (R3.6). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import type { BlockError } from "../../src/block/block-error.js";
import { DiskError } from "../../src/host/node/disk-error.js";
import { DiskFile } from "../../src/host/node/disk-file.js";
import { DiskFlusher } from "../../src/host/node/disk-flusher.js";
import type { DiskRequest } from "../../src/host/node/disk-request.js";
import { diskFacts, Disks } from "../../src/host/node/disks.js";
import { allocateShared, WorkerSide } from "../../src/host/shared.js";

const SECTOR = 512;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function image(size = 8 * SECTOR): string {
  const file = path.join(folder, `disk${files++}.img`);
  writeFileSync(file, new Uint8Array(size).fill(1));
  return file;
}

function only(request: DiskRequest): { disks: Disks; disk: ReturnType<Disks["backends"]["get"]> & object } {
  const disks = new Disks([request]);
  return { disks, disk: disks.backends.get("disk0")! };
}

test("R3.6 disk: by default the file stays as it is, and the guest reads what it wrote", () => {
  const file = image();
  const { disks, disk } = only({ file, access: "memory" });
  disk.write(SECTOR, new Uint8Array(SECTOR).fill(2));
  const into = new Uint8Array(2 * SECTOR);
  disk.read(0, into);
  assert.deepEqual([into[0], into[SECTOR]], [1, 2]);
  assert.equal(disks.close(), undefined);
  assert.ok(readFileSync(file).every((byte) => byte === 1));
});

test("R3.6 disk: rw writes to the file, ro refuses", () => {
  const file = image();
  const written = only({ file, access: "write" });
  written.disk.write(SECTOR, new Uint8Array(SECTOR).fill(2));
  assert.equal(written.disks.close(), undefined);
  assert.equal(readFileSync(file)[SECTOR], 2);
  const { disks, disk } = only({ file, access: "read" });
  assert.equal(disk.readOnly, true);
  assert.throws(() => disk.write(0, new Uint8Array(1)), /read only/);
  disks.close();
});

test("R3.6 disk: what cannot be a disk is refused by its name, with what it is", () => {
  mkdirSync(path.join(folder, "folder"));
  const fifo = path.join(folder, "fifo");
  const cases: [file: string, found: RegExp, access: DiskRequest["access"]][] = [
    [path.join(folder, "missing"), /missing: found no such file/, "memory"],
    [path.join(folder, "folder"), /folder: found a folder/, "memory"],
    [path.join(folder, "folder"), /folder: found is a folder/, "write"],
    [image(SECTOR + 1), /at 0x201: found the end of .* within a sector.*truncate/, "write"],
  ];
  if (process.platform !== "win32") {
    cases.push(["/dev/zero", /a character device, which has no end/, "memory"]);
    if (spawnSync("mkfifo", [fifo]).status === 0) cases.push([fifo, /a pipe/, "memory"]);
  }
  for (const [file, found, access] of cases)
    assert.throws(
      () => new Disks([{ file, access }]),
      (error) => error instanceof DiskError && found.test(error.message),
      file,
    );
});

test("R3.6 disk: where the second of two cannot be had, the first is closed", () => {
  const before = process.platform === "linux" ? openFiles() : 0;
  for (const last of [path.join(folder, "none"), image(SECTOR + 1)]) {
    const requests: DiskRequest[] = [
      { file: image(), access: "memory" },
      { file: last, access: "write" },
    ];
    assert.throws(() => new Disks(requests), DiskError);
  }
  if (process.platform === "linux") assert.equal(openFiles(), before);
});

/** How many files of the folder this process has open. */
function openFiles(): number {
  return readdirSync("/proc/self/fd").filter((one) => {
    try {
      return readlinkSync(`/proc/self/fd/${one}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

test("R3.6 disk: what somebody appends is not seen, what somebody cuts off is an error where it is read", () => {
  const file = image();
  const { disks, disk } = only({ file, access: "read" });
  appendFileSync(file, new Uint8Array(SECTOR));
  assert.equal(disk.size, 8 * SECTOR);
  truncateSync(file, SECTOR);
  disk.read(0, new Uint8Array(SECTOR));
  assert.throws(() => disk.read(0, new Uint8Array(2 * SECTOR)), /became shorter/);
  disks.close();
});

test("R3.6 disk: a plan knows sectors, whether it can be written, and the serial number; nothing is opened for writing", () => {
  const file = image(3 * SECTOR + 1);
  const facts = diskFacts([
    { file, access: "memory", serial: "S1" },
    { file, access: "read" },
  ]);
  assert.deepEqual(facts, [
    { sectors: 4, readOnly: false, serial: "S1" },
    { sectors: 4, readOnly: true, serial: "" },
  ]);
});

test("R3.6 disk: an empty file is refused with what to do, as it is and below an overlay", () => {
  const file = image(0);
  const overlay = path.join(folder, "of-nothing.qcow2");
  for (const request of [{ access: "memory" }, { access: "write" }, { access: "write", overlay }] as const)
    assert.throws(() => diskFacts([{ file, ...request }]), /found a disk of 0 bytes; .* truncate -s 1G/);
  assert.throws(() => new Disks([{ file, access: "write", overlay }]), /found a disk of 0 bytes/);
  assert.equal(existsSync(overlay), false);
  truncateSync(file, SECTOR);
  assert.equal(diskFacts([{ file, access: "memory" }])[0].sectors, 1);
});

/** Waits as the machine's thread does, without its event loop, until all are told. */
function waitFor(flusher: DiskFlusher, told: () => boolean): void {
  const side = new WorkerSide(flusher.shared, () => undefined);
  const deadline = Date.now() + 20_000;
  while (!told()) {
    assert.ok(Date.now() < deadline, "nobody rang");
    void side.stopRequested;
    flusher.poll();
    if (!told()) side.wait(1000);
  }
}

test("R3.6 disk: flushing beside the machine's thread answers each once, however many, while that thread never looks at a message", () => {
  const flusher = new DiskFlusher(allocateShared());
  const file = new DiskFile(image(), { write: true, flusher });
  const answers: (BlockError | undefined)[] = [];
  for (let i = 0; i < 50; i++) file.flushAside!((failed) => answers.push(failed));
  assert.equal(answers.length, 0);
  waitFor(flusher, () => answers.length >= 50);
  flusher.poll();
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, () => undefined),
  );
  flusher.close();
  file.close();
});

test("R3.6 disk: a flush that the host refuses is told as an error", () => {
  const flusher = new DiskFlusher(allocateShared());
  let answer: BlockError | undefined;
  let told = false;
  flusher.flush(1_000_000, "gone.img", (failed) => {
    answer = failed;
    told = true;
  });
  waitFor(flusher, () => told);
  assert.match(answer?.message ?? "", /gone\.img/);
  flusher.close();
});
