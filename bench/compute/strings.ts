/**
 * strlen, memchr and strcmp over many short strings, as byte loops and as `repne scasb` and `repe cmpsb`. Both kinds
 * walk the same strings; each result is an offset.
 */
import {
  al,
  cl,
  byte,
  eax,
  ecx,
  ebp,
  r12d,
  r13,
  r13d,
  r8,
  rax,
  rbp,
  rdi,
  rsi,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { randomWords } from "./random.js";

const STRINGS = 256;
/** Each string has a slot; the second copy differs from the first in its last character only. */
const SLOT = 64;
const COPIES = ARRAY + STRINGS * SLOT;
const LOOKED_FOR = "x".charCodeAt(0);
/** a to t */
const FIRST_LETTER = 97;
const LETTERS = 20;
const FOLD = 31;

const lengthOf = (random: number): number => 1 + ((random >>> 16) % (SLOT - 4));

/** Lower-case strings that end in the character that is looked for and hold it nowhere else. */
function makeStrings(): { texts: Uint8Array; copies: Uint8Array; lengths: number[] } {
  const random = randomWords(STRINGS * (SLOT + 1));
  const lengths = Array.from({ length: STRINGS }, (_, i) => lengthOf(random[i]));
  const texts = new Uint8Array(STRINGS * SLOT);
  lengths.forEach((length, i) => {
    for (let j = 0; j < length; j++)
      texts[i * SLOT + j] = FIRST_LETTER + ((random[STRINGS + i * SLOT + j] >>> 16) % LETTERS);
    texts[i * SLOT + length - 1] = LOOKED_FOR;
  });
  const copies = texts.slice();
  lengths.forEach((length, i) => copies[i * SLOT + length - 1]++);
  return { texts, copies, lengths };
}

/** RAX = offset of the result; folds it into R13D. RSI is the string, RDI its copy. */
function fold(a: Assembler): void {
  a.imul3(r13d, r13d, FOLD).add(r13d, eax);
}

function byteLoops(a: Assembler): void {
  a.xor(eax, eax)
    .label("strlen")
    .cmp(byte({ base: rsi, index: rax }), 0)
    .jcc("e", "gotLength");
  a.inc(rax).jmp("strlen").label("gotLength");
  fold(a);
  a.xor(eax, eax)
    .label("memchr")
    .cmp(byte({ base: rsi, index: rax }), LOOKED_FOR)
    .jcc("e", "gotCharacter");
  a.inc(rax).cmp(rax, SLOT).jcc("b", "memchr").label("gotCharacter");
  fold(a);
  a.xor(eax, eax)
    .label("strcmp")
    .movzx(ecx, byte({ base: rsi, index: rax }));
  a.cmp(byte({ base: rdi, index: rax }), cl).jcc("ne", "gotDifference");
  a.inc(rax).test(ecx, ecx).jcc("ne", "strcmp").label("gotDifference");
  fold(a);
}

/** Scans the string at RSI for AL; RAX = the offset where it stopped. */
function scan(a: Assembler): void {
  a.mov(rdi, rsi).mov(ecx, SLOT).repne().scas(8).lea(rax, byte(rdi, -1)).sub(rax, rsi);
  fold(a);
}

function repeatedForms(a: Assembler): void {
  a.mov(r8, rdi).xor(eax, eax);
  scan(a);
  a.mov(al, LOOKED_FOR);
  scan(a);
  a.mov(rdi, r8).mov(ecx, SLOT).repe().cmps(8).lea(rax, byte(rdi, -1)).sub(rax, r8);
  fold(a);
}

function write(g: GuestBuilder, passes: number): number {
  const { a } = g;
  const { texts, copies, lengths } = makeStrings();
  g.data(ARRAY, texts);
  g.data(COPIES, copies);
  a.mov(r12d, passes).xor(r13d, r13d).label("pass").xor(ebp, ebp);
  a.label("string").lea(rsi, byte(rbp, ARRAY)).lea(rdi, byte(rbp, COPIES));
  byteLoops(a);
  repeatedForms(a);
  a.add(ebp, SLOT)
    .cmp(ebp, STRINGS * SLOT)
    .jcc("b", "string");
  a.dec(r12d).jcc("ne", "pass").mov(rax, r13);
  let expected = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (const length of lengths) {
      for (const offset of [length, length - 1, length - 1, length, length - 1, length - 1])
        expected = (Math.imul(expected, FOLD) + offset) >>> 0;
    }
  }
  return expected;
}

/** Size: passes over the strings. */
export const strings: ComputeProgram = {
  name: "strings",
  what: "strlen, memchr, strcmp: byte loops, rep forms",
  class: "integer",
  size: 1_500,
  tiny: 2,
  write,
};
