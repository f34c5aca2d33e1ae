/** Counting random keys in an open-addressed hash table of 1 MiB: multiplication, short probe loops, scattered RAM. */
import { dword, eax, ebx, ecx, edx, r12d, rcx, r13, r13d, rax } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { emitNextRandom, nextRandom, SEED } from "./random.js";

const SLOT_BITS = 17;
const SLOTS = 1 << SLOT_BITS;
const KEY_SHIFT = 15;
/** Fibonacci hashing: 2^32 divided by the golden ratio (Knuth, vol. 3 §6.4). */
const GOLDEN = 0x9e3779b1 | 0;
const FOLD = 31;

/** Keys are odd, so at most half the slots are ever used. */
const keyOf = (random: number): number => (random >>> KEY_SHIFT) | 1;

function simulate(operations: number): number {
  const keys = new Uint32Array(SLOTS);
  const counts = new Uint32Array(SLOTS);
  let [random, sum] = [SEED, 0];
  for (let i = 0; i < operations; i++) {
    random = nextRandom(random);
    const key = keyOf(random);
    let slot = Math.imul(key, GOLDEN) >>> (32 - SLOT_BITS);
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & (SLOTS - 1);
    keys[slot] = key;
    sum = (Math.imul(sum, FOLD) + ++counts[slot] + slot) >>> 0;
  }
  return sum;
}

/** A slot is a key and its count. */
function write({ a }: GuestBuilder, operations: number): number {
  const key = dword({ index: rcx, scale: 8, disp: ARRAY });
  const count = dword({ index: rcx, scale: 8, disp: ARRAY + 4 });
  a.mov(ebx, SEED).mov(r12d, operations).xor(r13d, r13d);
  a.label("operation");
  emitNextRandom(a, ebx);
  a.mov(eax, ebx).shr(eax, KEY_SHIFT).or(eax, 1);
  a.imul3(ecx, eax, GOLDEN).shr(ecx, 32 - SLOT_BITS);
  a.label("probe").mov(edx, key).test(edx, edx).jcc("e", "insert").cmp(edx, eax).jcc("e", "found");
  a.inc(ecx)
    .and(ecx, SLOTS - 1)
    .jmp("probe");
  a.label("insert").mov(key, eax);
  a.label("found").inc(count).imul3(r13d, r13d, FOLD).add(r13d, count).add(r13d, ecx);
  a.dec(r12d).jcc("ne", "operation").mov(rax, r13);
  return simulate(operations);
}

/** Size: operations. */
export const hashTable: ComputeProgram = {
  name: "hash table",
  what: "multiplicative hashing, probe loops",
  class: "integer",
  size: 12_000_000,
  tiny: 3_000,
  write,
};
