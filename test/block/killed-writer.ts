/**
 * A process that writes records to a disk until it is killed, and says on standard output which have been flushed:
 * `node killed-writer.js FILE SEED`. Record n goes to a place that follows from n, and holds n.
 */
import { writeSync } from "node:fs";
import { Disks } from "../../src/host/node/disks.js";
import { Random } from "../support/random.js";

export const RECORD = 4096;
/** Records between two flushes at most. */
const MOST_BETWEEN = 20;

/** Where record `index` goes: no two of a life go to one place. */
export function recordPlace(index: number, size: number): number {
  const places = size / RECORD;
  // Odd, so that every place has its turn.
  return ((index * 7919) % places) * RECORD;
}

/** What record `index` holds. */
export function recordBytes(index: number): Uint8Array {
  const bytes = new Uint8Array(RECORD);
  new Uint32Array(bytes.buffer).fill(index + 1);
  return bytes;
}

function run(file: string, seed: number): void {
  const disks = new Disks([{ file, access: "write" }]);
  const disk = disks.backends.get("disk0")!;
  const random = new Random(seed);
  for (let index = 0; index < disk.size / RECORD;) {
    for (let left = 1 + random.below(MOST_BETWEEN); left > 0; left--, index++)
      disk.write(recordPlace(index, disk.size), recordBytes(index));
    disk.flush();
    writeSync(1, `${index}\n`);
  }
}

const [, , file, seed] = process.argv;
if (file !== undefined && seed !== undefined) run(file, Number(seed));
