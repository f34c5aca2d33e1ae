/** The sieve of Eratosthenes over one byte a number: byte stores with a stride, short loops, `rep stosq`. */
import { byte, eax, ebx, ecx, r12d, rax, rbx, rdi } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";

const REPEATS = 8;

function primesBelow(limit: number): number {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let i = 2; i < limit; i++) {
    if (composite[i] === 1) continue;
    count++;
    for (let j = i * i; j < limit; j += i) composite[j] = 1;
  }
  return count;
}

function write({ a }: GuestBuilder, limit: number): number {
  a.mov(r12d, REPEATS).label("repeat");
  a.mov(rdi, ARRAY)
    .mov(ecx, Math.ceil(limit / 8))
    .xor(eax, eax)
    .rep()
    .stos(64)
    .mov(ebx, 2);
  a.label("candidate").cmp(byte(rbx, ARRAY), 0).jcc("ne", "next").mov(rax, rbx).imul(rax, rbx);
  a.label("strike").mov(byte(rax, ARRAY), 1).add(rax, rbx).cmp(rax, limit).jcc("b", "strike");
  a.label("next")
    .inc(ebx)
    .cmp(ebx, Math.floor(Math.sqrt(limit - 1)))
    .jcc("be", "candidate");
  a.xor(eax, eax).mov(ebx, 2);
  a.label("count")
    .movzx(ecx, byte(rbx, ARRAY))
    .xor(ecx, 1)
    .add(eax, ecx)
    .inc(ebx)
    .cmp(ebx, limit)
    .jcc("b", "count");
  a.dec(r12d).jcc("ne", "repeat");
  return primesBelow(limit);
}

/** Size: numbers. */
export const sieve: ComputeProgram = {
  name: "sieve",
  what: "byte stores, short loops",
  class: "integer",
  size: 2_000_000,
  tiny: 1_000,
  write,
};
