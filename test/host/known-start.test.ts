/** R3.10 What a machine came to that went on from a snapshot, as a file: whole or of no use. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { keepKnownStart, openKnownStart } from "../../src/host/node/known-start.js";
import type { SnapshotFacts } from "../../src/snapshot/read.js";
import { scratch } from "../support/built-tree.js";

const FACTS = { about: { kernel: "k" }, runs: [{ first: 1, count: 2 }], packed: false, big: 1n << 60n };
const PAGE = 0x1000;
/** More pieces than a system takes in one call. */
const PAGES = 1300;

function found(): Parameters<typeof keepKnownStart>[2] {
  const contents = new Uint8Array(PAGES * PAGE).map((_, i) => i ^ (i >>> 12));
  return {
    pages: Uint32Array.from({ length: PAGES }, (_, i) => 3 * i),
    code: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    contents: [Uint8Array.of(9, 8, 7), contents],
  };
}

function pieces(): Uint8Array[] {
  return [new Uint8Array(3), ...Array.from({ length: PAGES }, () => new Uint8Array(PAGE))];
}

test("R3.10 known start: what is kept comes back, in pieces of any size; a new one takes the place of an old one", (t) => {
  const folder = scratch(t);
  const file = path.join(folder, "one.start");
  writeFileSync(file, "an old one");
  const { pages, code, contents } = found();
  keepKnownStart(file, FACTS as unknown as SnapshotFacts, { pages, code, contents });
  assert.deepEqual(readdirSync(folder), ["one.start"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const known = openKnownStart(file)!;
  assert.deepEqual(known.facts, FACTS);
  assert.deepEqual([...known.workingSet.pages], [...pages]);
  assert.deepEqual([...known.workingSet.code], [...code]);
  const into = pieces();
  assert.equal(known.workingSet.read(into), true);
  assert.equal(Buffer.compare(Buffer.concat(into), Buffer.concat(contents)), 0);
  assert.equal(openKnownStart(file)!.workingSet.read(into.slice(1)), false);
});

test("R3.10 known start: none, cut off anywhere, or with a byte that is another, it is of no use, and nothing is said", (t) => {
  const file = path.join(scratch(t), "one.start");
  assert.equal(openKnownStart(file), undefined);
  const { pages, code, contents } = found();
  keepKnownStart(file, FACTS as unknown as SnapshotFacts, { pages, code, contents });
  const whole = readFileSync(file);
  const isUsed = (bytes: Uint8Array): boolean => {
    writeFileSync(file, bytes);
    return openKnownStart(file)?.workingSet.read(pieces()) === true;
  };
  assert.equal(isUsed(whole), true);
  const middle = 32 + PAGES * 4;
  for (const length of [0, 7, 31, 32, middle, middle + 20, whole.length - 1])
    assert.equal(isUsed(whole.subarray(0, length)), false, `${length} bytes`);
  assert.equal(isUsed(Buffer.concat([whole, whole.subarray(0, 1)])), false);
  const places = [...Array(32).keys(), 40, middle + 1, middle + 20, whole.length - PAGE, whole.length - 1];
  for (const at of places) {
    const damaged = Uint8Array.from(whole);
    damaged[at] ^= 0x80;
    assert.equal(isUsed(damaged), false, `byte ${at}`);
  }
});

test("R3.10 known start: a folder that cannot be written to is left as it is", (t) => {
  const file = path.join(scratch(t), "none", "one.start");
  keepKnownStart(file, FACTS as unknown as SnapshotFacts, found());
  assert.equal(openKnownStart(file), undefined);
});
