/**
 * Machines that are killed while their guest writes to its root: what the guest was told is on the disk must be there, and the file
 * system be one that its journal makes whole (R3.6).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { filesOf, readDisk } from "../../src/disk/disk.js";
import type { FileTree } from "../../src/disk/files/tree.js";
import { locore } from "./kernel-files.js";
import { checkFileSystem, RECORDS_BEGIN, RECORDS_LINE, recordText, smallLoginImage } from "./login-image.js";
import { Random } from "./random.js";
import { requireTool } from "./requires.js";

/** Records that a guest has flushed at most before it is killed. */
const MOST_RECORDS = 12;
/** How long it goes on behind its last one, in ms: a record takes a few. */
const LONGEST_WAIT = 40;
const FLUSHED = /^flushed (\d+)\r?$/gm;
const LARGEST_RECORD = 2 ** 16;

/** A disk and a machine that was saved when its guest began to write to it. */
interface Beginning {
  image: string;
  snapshot: string;
  cp: string;
}

/** Boots to where the guest begins; undefined after the test was skipped. */
async function begun(t: TestContext): Promise<Beginning | undefined> {
  const image = await smallLoginImage(t);
  const cp = requireTool(t, "cp");
  if (image === undefined || cp === undefined) return undefined;
  const snapshot = path.join(path.dirname(image), "begun.snap");
  const machine = locore([
    ...["boot", `${image},rw`, "--append", RECORDS_LINE, "--timeout", "120"],
    ...["--snapshot-at", RECORDS_BEGIN, "--snapshot", snapshot],
  ]).during(t);
  const { status, out, err } = await machine.ended;
  assert.equal(status, 0, `${out}${err}`);
  return { image, snapshot, cp };
}

/** Goes on with a copy of the disk, kills the process at a random moment, and gives the last number that the guest saw flushed. */
async function killedRun(
  t: TestContext,
  { image, snapshot, cp }: Beginning,
  copy: string,
  random: Random,
): Promise<number> {
  // The machine takes no disk whose time is another one, to the nanosecond.
  assert.equal(spawnSync(cp, ["--preserve=timestamps", image, copy]).status, 0);
  const machine = locore(["restore", snapshot, "--disk", `${copy},rw`, "--timeout", "120"]).during(t);
  await machine.shows(`flushed ${1 + random.below(MOST_RECORDS)}`);
  await new Promise((resolve) => setTimeout(resolve, random.below(LONGEST_WAIT)));
  machine.child.kill("SIGKILL");
  const { signal, out } = await machine.ended;
  assert.equal(signal, "SIGKILL", out);
  return Number([...out.matchAll(FLUSHED)].at(-1)?.[1]);
}

/** Hands over the root file system of an image. */
function withFiles(image: string, use: (files: FileTree) => void): void {
  const descriptor = openSync(image, "r");
  try {
    const { volumes } = readDisk({
      size: fstatSync(descriptor).size,
      read: (offset, into) => void readSync(descriptor, into, 0, into.length, offset),
    });
    const files = filesOf(volumes[0]);
    assert.ok(files !== undefined);
    use(files);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Kills machines at random moments behind one beginning, each on a disk of its own. Each time e2fsck replays the journal and must find
 * nothing else to do.
 */
export async function killGuests(t: TestContext, kills: number, seed: number): Promise<void> {
  const beginning = await begun(t);
  if (beginning === undefined) return;
  const copy = path.join(path.dirname(beginning.image), "copy.img");
  const random = new Random(seed);
  let flushed = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const last = await killedRun(t, beginning, copy, random);
    flushed += last;
    const replayed = checkFileSystem(t, copy, ["-p", "-E", "journal_only"]);
    const checked = checkFileSystem(t, copy, ["-fn"]);
    if (replayed === undefined || checked === undefined) return;
    assert.equal(checked.status, 0, `kill ${kill}: ${replayed.text}${checked.text}`);
    withFiles(copy, (files) => {
      // The one behind the last may be there or not, whole or not.
      for (let number = 1; number <= last; number++) {
        const record = files.open(`/records/${number}`)?.read(LARGEST_RECORD);
        assert.equal(
          record && Buffer.from(record).toString(),
          recordText(number),
          `kill ${kill}, record ${number}`,
        );
      }
    });
  }
  t.diagnostic(`${flushed} records flushed by ${kills} machines`);
}
