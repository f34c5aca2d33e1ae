/**
 * Machines that are killed while their guest writes to its root: what the guest was told is on the disk must be there, and the file
 * system be one that its journal makes whole (R3.6).
 */
import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { TestContext } from "node:test";
import { filesOf, readDisk } from "../../src/disk/disk.js";
import type { FileTree } from "../../src/disk/files/tree.js";
import { locore } from "./kernel-files.js";
import { checkFileSystem, recordsLine, recordText, smallLoginImage } from "./login-image.js";
import { Random } from "./random.js";

/** Records that a guest has flushed at most before it is killed. */
const MOST_RECORDS = 12;
/** How long it goes on behind its last one, in ms: a record takes a few. */
const LONGEST_WAIT = 40;
const FLUSHED = /^flushed (\d+)\r?$/gm;
const LARGEST_RECORD = 2 ** 16;

/** Boots, kills the process at a random moment, and gives the last number that the guest saw flushed. */
async function killedRun(t: TestContext, image: string, from: number, random: Random): Promise<number> {
  const machine = locore(["boot", `${image},rw`, "--append", recordsLine(from), "--timeout", "120"]).during(
    t,
  );
  await machine.shows(`flushed ${from + random.below(MOST_RECORDS)}`);
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
 * Kills machines on one image, one after another, each at a random moment; the next goes on with what the last one left behind. In
 * between e2fsck replays the journal and must find nothing else to do.
 */
export async function killGuests(t: TestContext, kills: number, seed: number): Promise<void> {
  const image = await smallLoginImage(t);
  if (image === undefined) return;
  const random = new Random(seed);
  const flushed: number[] = [];
  let from = 1;
  for (let kill = 1; kill <= kills; kill++) {
    const last = await killedRun(t, image, from, random);
    for (let number = from; number <= last; number++) flushed.push(number);
    // The one behind it may be there or not, whole or not.
    from = last + 2;
    const replayed = checkFileSystem(t, image, ["-p", "-E", "journal_only"]);
    const checked = checkFileSystem(t, image, ["-fn"]);
    if (replayed === undefined || checked === undefined) return;
    assert.equal(checked.status, 0, `kill ${kill}: ${replayed.text}${checked.text}`);
    withFiles(image, (files) => {
      for (const number of flushed) {
        const record = files.open(`/records/${number}`)?.read(LARGEST_RECORD);
        assert.equal(
          record && Buffer.from(record).toString(),
          recordText(number),
          `kill ${kill}, record ${number}`,
        );
      }
    });
  }
  t.diagnostic(`${flushed.length} records flushed by ${kills} machines`);
}
