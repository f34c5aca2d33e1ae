/** Quicksort (Hoare's partition, both halves recursive) of random 32-bit numbers: branches nobody can predict. */
import {
  dword,
  eax,
  ebx,
  ecx,
  edx,
  r10d,
  r11d,
  r12d,
  r8,
  r9,
  rcx,
  rdi,
  rdx,
  rsi,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { emitNextRandom, randomWords, SEED } from "./random.js";

const COUNT = 65_536;
const FOLD = 31;

/** Sorts the dwords from RDI to RSI, both inclusive. */
function emitSort(a: Assembler): void {
  a.label("sort").cmp(rdi, rsi).jcc("ae", "sorted");
  a.mov(rdx, rsi)
    .sub(rdx, rdi)
    .shr(rdx, 3)
    .mov(edx, dword({ base: rdi, index: rdx, scale: 4 }));
  a.mov(r8, rdi).mov(r9, rsi);
  a.label("up").mov(eax, dword(r8)).cmp(eax, edx).jcc("ae", "down").add(r8, 4).jmp("up");
  a.label("down").mov(ebx, dword(r9)).cmp(ebx, edx).jcc("be", "meet").sub(r9, 4).jmp("down");
  a.label("meet").cmp(r8, r9).jcc("a", "split");
  a.mov(dword(r8), ebx).mov(dword(r9), eax).add(r8, 4).sub(r9, 4).cmp(r8, r9).jcc("be", "up");
  a.label("split").push(r8).push(rsi).mov(rsi, r9).call("sort").pop(rsi).pop(rdi).jmp("sort");
  a.label("sorted").ret();
}

function write({ a }: GuestBuilder, repeats: number): number {
  a.mov(r11d, SEED).xor(r10d, r10d).mov(r12d, repeats).label("repeat").xor(ecx, ecx).label("fill");
  emitNextRandom(a, r11d);
  a.mov(dword({ index: rcx, scale: 4, disp: ARRAY }), r11d)
    .inc(ecx)
    .cmp(ecx, COUNT)
    .jcc("ne", "fill");
  a.mov(rdi, ARRAY)
    .mov(rsi, ARRAY + 4 * (COUNT - 1))
    .call("sort");
  a.xor(ecx, ecx).label("fold").imul3(r10d, r10d, FOLD);
  a.add(r10d, dword({ index: rcx, scale: 4, disp: ARRAY }))
    .inc(ecx)
    .cmp(ecx, COUNT)
    .jcc("ne", "fold");
  a.dec(r12d).jcc("ne", "repeat").mov(eax, r10d).jmp(DONE);
  emitSort(a);
  const all = randomWords(repeats * COUNT);
  let sum = 0;
  for (let i = 0; i < all.length; i += COUNT) {
    for (const v of all.subarray(i, i + COUNT).sort()) sum = (Math.imul(sum, FOLD) + v) >>> 0;
  }
  return sum;
}

/** Size: sorts of 65,536 numbers. */
export const quicksort: ComputeProgram = {
  name: "qsort",
  what: "unpredictable branches, recursion",
  class: "integer",
  size: 20,
  tiny: 1,
  write,
};
