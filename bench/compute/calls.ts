/** Fibonacci numbers the slow way: recursive calls, returns to two places, pushes and pops. */
import { at, eax, ebx, edi, r12d, r13, r13d, rax, rbx } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const N = 24;

function fibonacci(n: number): number {
  let [a, b] = [0, 1];
  for (let i = 0; i < n; i++) [a, b] = [b, a + b];
  return a;
}

function write({ a }: GuestBuilder, repeats: number): number {
  a.mov(r12d, repeats).xor(r13d, r13d).label("repeat");
  a.mov(edi, N).call("fib").add(r13d, eax).dec(r12d).jcc("ne", "repeat").mov(rax, r13).jmp(DONE);
  a.label("fib").cmp(edi, 2).jcc("b", "small");
  a.push(rbx).mov(ebx, edi).dec(edi).call("fib");
  a.xchg(ebx, eax).lea(edi, at(rax, -2)).call("fib").add(eax, ebx).pop(rbx).ret();
  a.label("small").mov(eax, edi).ret();
  return (repeats * fibonacci(N)) % 2 ** 32;
}

/** Size: computations of the 24th number, 150,049 calls each. */
export const calls: ComputeProgram = {
  name: "calls",
  what: "recursion, pushes and pops",
  class: "integer",
  size: 120,
  tiny: 2,
  write,
};
