/** The sieve of Eratosthenes over one byte a number: byte stores with a stride, short loops, `rep stosq`. */
import { byte, eax, ebx, ecx, r12d, rax, rbx, rdi } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";

const LIMIT = 500_000;

function primes(): number {
  const composite = new Uint8Array(LIMIT);
  let count = 0;
  for (let i = 2; i < LIMIT; i++) {
    if (composite[i] === 1) continue;
    count++;
    for (let j = i * i; j < LIMIT; j += i) composite[j] = 1;
  }
  return count;
}

function write({ a }: GuestBuilder, repeats: number): number {
  a.mov(r12d, repeats).label("repeat");
  a.mov(rdi, ARRAY)
    .mov(ecx, LIMIT / 8)
    .xor(eax, eax)
    .rep()
    .stos(64)
    .mov(ebx, 2);
  a.label("candidate").cmp(byte(rbx, ARRAY), 0).jcc("ne", "next").mov(rax, rbx).imul(rax, rbx);
  a.label("strike").mov(byte(rax, ARRAY), 1).add(rax, rbx).cmp(rax, LIMIT).jcc("b", "strike");
  a.label("next")
    .inc(ebx)
    .cmp(ebx, Math.floor(Math.sqrt(LIMIT)))
    .jcc("be", "candidate");
  a.xor(eax, eax).mov(ebx, 2);
  a.label("count")
    .movzx(ecx, byte(rbx, ARRAY))
    .xor(ecx, 1)
    .add(eax, ecx)
    .inc(ebx)
    .cmp(ebx, LIMIT)
    .jcc("b", "count");
  a.dec(r12d).jcc("ne", "repeat");
  return primes();
}

/** Size: sieves of 500,000 numbers. */
export const sieve: ComputeProgram = {
  name: "sieve",
  what: "byte stores, short loops",
  class: "integer",
  size: 32,
  tiny: 1,
  write,
};
