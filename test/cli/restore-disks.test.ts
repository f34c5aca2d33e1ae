/** R3.6, R6.2: which disks a machine that was saved goes on with, and which are refused, by their names. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { al, Assembler, ecx, edx, eax } from "../support/asm/index.js";
import { locore } from "../support/cli.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const COM1 = 0x3f8;
const SIZE = 0x20000;
const folder = mkdtempSync(path.join(tmpdir(), "locore-restore-"));
const at = (name: string): string => path.join(folder, name);
after(() => rmSync(folder, { recursive: true }));

/** Prints "ab", with some work between the two, and ends with status 1. */
function guest(): Uint8Array {
  const a = new Assembler(LOAD, 32).mov(edx, COM1);
  a.mov(al, "a".charCodeAt(0)).out(8, "dx");
  a.mov(ecx, 20_000).label("work").dec(ecx).jcc("ne", "work");
  a.mov(al, "b".charCodeAt(0)).out(8, "dx");
  a.mov(eax, 0).out(32, 0xf4).cli().hlt();
  return pvhElf(LOAD, a.link()[0].bytes, LOAD);
}

const [disk, snapshot] = [at("disk.img"), at("cut.snap")];

/** Saves a machine with these disks. */
async function saved(...disks: string[]): Promise<void> {
  const words = disks.flatMap((one) => ["--disk", one]);
  const cut = ["--snapshot-at", "a", "--snapshot", snapshot];
  const { status, err } = await locore("boot", at("guest"), "-m", "8M", ...words, ...cut);
  assert.equal(status, 0, err);
}

async function restored(...disks: string[]): Promise<{ status: number; out: string; err: string }> {
  return locore("restore", snapshot, ...disks.flatMap((one) => ["--disk", one]));
}

before(() => {
  writeFileSync(at("guest"), guest());
  writeFileSync(disk, new Uint8Array(SIZE).fill(1));
});

test("R6.2 with the disk that it had a machine goes on; inspect tells of it", async () => {
  await saved(disk);
  const { status, err } = await restored(disk);
  assert.equal(status, 1, err);
  const { out } = await locore("inspect", snapshot);
  assert.match(out, /disk0 +.*disk\.img, 128 KiB, kept as it is, 0 KiB written in memory; give it again/);
});

test("R6.2 what is another disk, or was changed since, is refused with what was found and expected", async () => {
  await saved(disk);
  const copy = at("copy.img");
  copyFileSync(disk, copy);
  utimesSync(copy, 1, 1);
  const cases: [disks: string[], found: RegExp][] = [
    [[], /disk\.img: found 0 disks given; expected 1/],
    [[disk, copy], /copy\.img: found a disk that the snapshot's machine did not have/],
    [[`${disk},rw`], /found a disk that is written .*expected a disk that is kept as it is/],
    [[`${disk},ro`], /found a disk that is only read/],
    [[`${disk},serial=other`], /found the serial number "other"/],
    [[copy], /copy\.img: found a file that was written at another time/],
  ];
  for (const [disks, found] of cases) {
    const { status, err } = await restored(...disks);
    assert.equal(status, 8, err);
    assert.match(err, found);
  }
  writeFileSync(copy, new Uint8Array(SIZE).fill(2));
  assert.match((await restored(copy)).err, /found another beginning/);
  writeFileSync(copy, new Uint8Array(SIZE + 512).fill(1));
  assert.match((await restored(copy)).err, /found a disk of 131584 bytes; expected 131072/);
});

test("R6.2 a disk that was written to its file may be kept as it is when its machine goes on", async () => {
  await saved(`${disk},rw`);
  for (const again of [`${disk},rw`, disk]) {
    const { status, err } = await restored(again);
    assert.equal(status, 1, err);
  }
  assert.match((await restored(`${disk},ro`)).err, /found a disk that is only read/);
});
