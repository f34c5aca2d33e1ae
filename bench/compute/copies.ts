/**
 * Copies: large ones with `rep movsq` and with a loop of 16 bytes, small unaligned ones with `rep movsb`, fills with
 * `rep stosb`. Every pass changes its source first.
 */
import {
  byte,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  esi,
  oword,
  r12,
  r12d,
  rcx,
  xmm0,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { randomWords } from "./random.js";

const LARGE = 0x10000;
const SOURCE = 0;
const WORDS_COPY = LARGE;
const VECTOR_COPY = 2 * LARGE;
const SMALL_COPY = 3 * LARGE;
const END = 4 * LARGE;
const SMALL = 37;
const SMALL_COUNT = 512;
const FILLED = 100;
const FOLD = 31;

/** One pass; R12D is its number, counting down. */
function pass(a: Assembler): void {
  a.add(dword(ARRAY), r12d);
  a.mov(esi, ARRAY + SOURCE)
    .mov(edi, ARRAY + WORDS_COPY)
    .mov(ecx, LARGE / 8)
    .rep()
    .movs(64);
  a.xor(ecx, ecx).label("vector");
  a.movdqu(xmm0, oword({ index: rcx, scale: 1, disp: ARRAY + WORDS_COPY }));
  a.movdqu(oword({ index: rcx, scale: 1, disp: ARRAY + VECTOR_COPY }), xmm0);
  a.add(ecx, 16).cmp(ecx, LARGE).jcc("ne", "vector");
  a.mov(ebx, SMALL_COUNT)
    .mov(esi, ARRAY + VECTOR_COPY)
    .mov(edi, ARRAY + SMALL_COPY + 1);
  a.label("small").mov(ecx, SMALL).rep().movs(8).dec(ebx).jcc("ne", "small");
  a.mov(eax, r12d).mov(ecx, FILLED).rep().stos(8);
}

/** The same here. */
function simulate(passes: number): number {
  const memory = new Uint8Array(END);
  const view = new DataView(memory.buffer);
  memory.set(new Uint8Array(randomWords(LARGE / 4).buffer));
  const small = SMALL * SMALL_COUNT;
  for (let left = passes; left > 0; left--) {
    view.setUint32(SOURCE, (view.getUint32(SOURCE, true) + left) >>> 0, true);
    memory.copyWithin(WORDS_COPY, SOURCE, SOURCE + LARGE);
    memory.copyWithin(VECTOR_COPY, WORDS_COPY, WORDS_COPY + LARGE);
    memory.copyWithin(SMALL_COPY + 1, VECTOR_COPY, VECTOR_COPY + small);
    memory.fill(left & 0xff, SMALL_COPY + 1 + small, SMALL_COPY + 1 + small + FILLED);
  }
  return memory.reduce((sum, value) => (Math.imul(sum, FOLD) + value) >>> 0, 0);
}

function write(g: GuestBuilder, passes: number): number {
  const { a } = g;
  g.data(ARRAY, new Uint8Array(randomWords(LARGE / 4).buffer));
  a.mov(r12, passes).label("pass");
  pass(a);
  a.dec(r12).jcc("ne", "pass").xor(eax, eax).xor(ecx, ecx);
  a.label("fold").movzx(ebp, byte(rcx, ARRAY)).imul3(eax, eax, FOLD).add(eax, ebp);
  a.inc(ecx).cmp(ecx, END).jcc("ne", "fold");
  return simulate(passes);
}

/** Size: passes of 212 KiB. */
export const copies: ComputeProgram = {
  name: "copies",
  what: "rep movs, rep stos, 16-byte loops",
  class: "integer",
  size: 5_000,
  tiny: 2,
  write,
};
