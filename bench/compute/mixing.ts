/** Additions, rotations and exclusive ors in registers, one load a round: what ciphers and hashes consist of. */
import { dword, eax, ebx, ecx, edx, esi, r10d, r11d, r12d, r9d, rcx } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";

const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a];
const WORDS = Uint32Array.from({ length: 16 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));

const rotateLeft = (v: number, by: number): number => ((v << by) | (v >>> (32 - by))) >>> 0;

function mixed(rounds: number): number {
  let [a, b, d, s] = START;
  for (let i = 0; i < rounds; i++) {
    const t = ((rotateLeft(a, 7) ^ b) + WORDS[i & 15]) >>> 0;
    const next = ((rotateLeft(d, 21) + t) ^ s) >>> 0;
    [a, b, d, s] = [next, a, b, d];
  }
  return a;
}

function write(g: GuestBuilder, rounds: number): number {
  const { a } = g;
  g.data(ARRAY, new Uint8Array(WORDS.buffer));
  a.mov(eax, START[0]).mov(ebx, START[1]).mov(edx, START[2]).mov(esi, START[3]);
  a.xor(ecx, ecx).mov(r12d, rounds);
  a.label("round").mov(r9d, dword({ index: rcx, scale: 4, disp: ARRAY }));
  a.mov(r10d, eax).rol(r10d, 7).xor(r10d, ebx).add(r10d, r9d);
  a.mov(r11d, edx).ror(r11d, 11).add(r11d, r10d).xor(r11d, esi);
  a.mov(esi, edx).mov(edx, ebx).mov(ebx, eax).mov(eax, r11d);
  a.inc(ecx).and(ecx, 15).dec(r12d).jcc("ne", "round");
  return mixed(rounds);
}

/** Size: rounds. */
export const mixing: ComputeProgram = {
  name: "mixing",
  what: "additions and rotations in registers",
  class: "integer",
  size: 16_000_000,
  tiny: 1_000,
  write,
};
