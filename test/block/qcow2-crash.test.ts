/**
 * R3.6: the power goes off under a qcow2 image. Of what was written since the disk was last waited for, any part may be lost; then no
 * table names what is not there or not counted, and what somebody was told is flushed is there. With flushes that are waited for, and
 * such that are told of later, while the guest goes on writing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryFile } from "../../src/block/block-file.js";
import { BlockError } from "../../src/block/block-error.js";
import { createQcow2 } from "../../src/block/qcow2/create.js";
import { Qcow2Disk } from "../../src/block/qcow2/disk.js";
import { Random } from "../support/random.js";
import { applyTo, operations, type Operation } from "./model.js";
import { checkImage } from "./qcow2-check.js";

const SIZE = 200 * 512;
const MOST_BYTES = 2000;
/** Places where each history is cut. */
const CUTS = 8;

interface Write {
  offset: number;
  bytes: Uint8Array;
  /** How many writes were on the disk when it was made. */
  kept: number;
}

/** A file on a disk that may lose what it was not told to keep. */
class FragileFile extends MemoryFile {
  /** All writes, and how many of them are on the disk. */
  readonly writes: Write[] = [];
  kept = 0;
  /** Flushes that are under way: how many writes each covers. */
  readonly pending: { covers: number; done: (failed: BlockError | undefined) => void }[] = [];

  override write(offset: number, from: Uint8Array): void {
    this.writes.push({ offset, bytes: from.slice(), kept: this.kept });
    super.write(offset, from);
  }

  override punch(offset: number, length: number): boolean {
    this.writes.push({ offset, bytes: new Uint8Array(length), kept: this.kept });
    return super.punch(offset, length);
  }

  override flush(): void {
    // A place to cut at: everything is written, and nothing of it sure.
    this.writes.push({ offset: 0, bytes: new Uint8Array(0), kept: this.kept });
    this.kept = this.writes.length;
  }

  flushAside(done: (failed: BlockError | undefined) => void): void {
    this.pending.push({ covers: this.writes.length, done });
  }

  /** Finishes the flush that was begun first. */
  deliver(): boolean {
    const first = this.pending.shift();
    if (first === undefined) return false;
    this.kept = Math.max(this.kept, first.covers);
    first.done(undefined);
    return true;
  }
}

/** The file after the power went off before write `cut`: what is kept, and any of the rest. */
function crashed(
  start: Uint8Array,
  file: FragileFile,
  random: Random,
  cut: number = file.writes.length,
): MemoryFile {
  const left = new MemoryFile(start.slice());
  left.resize(file.size);
  const kept = file.writes[cut]?.kept ?? file.kept;
  file.writes.slice(0, cut).forEach(({ offset, bytes }, i) => {
    if (i < kept || random.below(2) === 0) left.write(offset, bytes);
  });
  return left;
}

/** What was flushed when: the disk's bytes then, and where something was written since. */
interface Promised {
  bytes: Uint8Array;
  touched: Uint8Array;
}

type Step = Operation | { kind: "aside" } | { kind: "deliver" } | { kind: "crash" };

const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    operations(SIZE),
    fc.array(fc.constantFrom<Step["kind"]>("aside", "deliver", "deliver", "crash"), { maxLength: 30 }),
    fc.array(fc.nat({ max: 60 }), { minLength: 30, maxLength: 30 }),
  )
  .map(([done, kinds, places]) => {
    // Small ones: a disk that is full after a few writes needs no new clusters.
    const all: Step[] = done.map((one) =>
      "length" in one ? { ...one, length: one.length % MOST_BYTES } : one,
    );
    kinds.forEach((kind, i) => all.splice(places[i] % (all.length + 1), 0, { kind } as Step));
    return [...all, { kind: "crash" }];
  });

test("R3.6 qcow2: whatever the power takes, no table names what is not there or counted, and what was flushed stays", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (all, seed) => {
      const random = new Random(seed + 1);
      const start = new MemoryFile();
      createQcow2(start, { size: SIZE, clusterBits: 9 });
      const file = new FragileFile(start.bytes.slice());
      const disk = new Qcow2Disk(file);
      const model = new Uint8Array(SIZE);
      const open: Promised[] = [];
      const promised = (): Promised => {
        const made = { bytes: model.slice(), touched: new Uint8Array(SIZE) };
        open.push(made);
        return made;
      };
      let last = promised();
      let asked = 0;
      let told = 0;
      for (const step of all) {
        switch (step.kind) {
          case "aside": {
            const then = promised();
            asked++;
            disk.flushAside!((failed) => {
              assert.equal(failed, undefined);
              told++;
              last = then;
            });
            break;
          }
          case "deliver":
            file.deliver();
            break;
          case "crash": {
            const left = crashed(start.bytes, file, random);
            assert.deepEqual(checkImage(left.bytes).errors, []);
            // And in the middle of a flush.
            for (let i = 0; i < CUTS; i++) {
              const cut = random.below(file.writes.length + 1);
              assert.deepEqual(checkImage(crashed(start.bytes, file, random, cut).bytes).errors, []);
            }
            const now = new Uint8Array(SIZE);
            new Qcow2Disk(left).read(0, now);
            const wrong = now.findIndex((byte, i) => last.touched[i] === 0 && byte !== last.bytes[i]);
            assert.equal(wrong, -1, `byte ${wrong} was flushed and is not there`);
            break;
          }
          case "flush":
            disk.flush();
            last = promised();
            break;
          default:
            applyTo(disk, model, step);
            if (step.kind !== "read")
              for (const { touched } of open) touched.fill(1, step.offset, step.offset + step.length);
        }
      }
      while (file.deliver());
      assert.equal(told, asked);
      disk.flush();
      assert.deepEqual(checkImage(file.bytes), { errors: [], leaks: 0 });
    }),
    { numRuns: 250 },
  );
});

test("R3.6 qcow2: a flush beside the thread that fails is told so, and the next one brings everything", () => {
  const file = new FragileFile();
  createQcow2(file, { size: SIZE, clusterBits: 9 });
  const disk = new Qcow2Disk(file);
  disk.write(0, new Uint8Array(4096).fill(1));
  const answers: (BlockError | undefined)[] = [];
  disk.flushAside!((failed) => answers.push(failed));
  const failure: BlockError | undefined = new BlockError(0, "a failure", "none", "Again.");
  file.pending.shift()!.done(failure);
  assert.equal(answers.length, 1);
  assert.equal(answers[0], failure);
  disk.flushAside!((failed) => answers.push(failed));
  while (file.deliver());
  assert.equal(answers.length, 2);
  assert.equal(answers[1], undefined);
  assert.deepEqual(checkImage(file.bytes), { errors: [], leaks: 0 });
  const into = new Uint8Array(4096);
  new Qcow2Disk(file).read(0, into);
  assert.ok(into.every((byte) => byte === 1));
});
