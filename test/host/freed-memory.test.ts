/** R3.10 Memory that was freed goes back to the system, where glibc would keep it. Needs koffi. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test, type TestContext } from "node:test";
import { nativeCalls, type FreedMemory, type Koffi } from "../../src/host/node/native-calls.js";
import { missing } from "../support/requires.js";

const MIB = 2 ** 20;
/** Small enough to come from a heap, and not to be a mapping of its own. */
const PIECE = 0x8000;
const PIECES = 1024;
const KEPT = MIB;
/** Of the 32 MiB of all pieces; what else a process does meanwhile is far less. */
const MUCH = 24 * MIB;

/** A pointer of C's. */
type Pointer = unknown;

class Heap {
  readonly #libc = (createRequire(import.meta.url)("koffi") as Koffi).load(null);
  readonly #malloc = this.#libc.func("void *malloc(size_t)");
  readonly #memset = this.#libc.func("void *memset(void *, int, size_t)");
  readonly #free = this.#libc.func("void free(void *)");

  /** Memory that is really there. */
  take(bytes: number): Pointer {
    const taken = this.#malloc(bytes) as Pointer;
    this.#memset(taken, 1, bytes);
    return taken;
  }

  takePieces(): Pointer[] {
    return Array.from({ length: PIECES }, () => this.take(PIECE));
  }

  /** The last one first. */
  give(pieces: readonly Pointer[]): void {
    for (const piece of pieces.toReversed()) this.#free(piece);
  }
}

/** Undefined after the test was skipped. */
function freedMemory(t: TestContext): FreedMemory | undefined {
  const native = nativeCalls();
  if (native === undefined) return void missing(t, "koffi is not installed, or not for this platform");
  const freed = native.freedMemory();
  if (freed === undefined) missing(t, "this C library is another one than glibc");
  return freed;
}

test("R3.10 what is freed at the end of a heap goes back, although something large was freed before", (t) => {
  const freed = freedMemory(t);
  if (freed === undefined) return;
  const heap = new Heap();
  // glibc keeps twice as much from here on.
  heap.give([heap.take(24 * MIB)]);
  freed.keepAtMost(KEPT);
  const pieces = heap.takePieces();
  const before = process.memoryUsage.rss();
  heap.give(pieces);
  assert.ok(before - process.memoryUsage.rss() > MUCH);
});

test("R3.10 what is freed between pieces in use is given back when that is asked for", (t) => {
  const freed = freedMemory(t);
  if (freed === undefined) return;
  const heap = new Heap();
  const pieces = heap.takePieces();
  const last = heap.take(PIECE);
  const before = process.memoryUsage.rss();
  heap.give(pieces);
  assert.ok(before - process.memoryUsage.rss() < MUCH);
  freed.giveBack();
  assert.ok(before - process.memoryUsage.rss() > MUCH);
  heap.give([last]);
});
