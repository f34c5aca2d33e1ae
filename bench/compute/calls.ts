/** Fibonacci numbers the slow way: recursive calls, returns to two places, pushes and pops. */
import { at, eax, ebx, edi, rax, rbx } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

function fibonacci(n: number): number {
  let [a, b] = [0, 1];
  for (let i = 0; i < n; i++) [a, b] = [b, a + b];
  return a;
}

function write({ a }: GuestBuilder, n: number): number {
  a.mov(edi, n).call("fib").jmp(DONE);
  a.label("fib").cmp(edi, 2).jcc("b", "small");
  a.push(rbx).mov(ebx, edi).dec(edi).call("fib");
  a.xchg(ebx, eax).lea(edi, at(rax, -2)).call("fib").add(eax, ebx).pop(rbx).ret();
  a.label("small").mov(eax, edi).ret();
  return fibonacci(n);
}

/** Size: n. */
export const calls: ComputeProgram = {
  name: "calls",
  what: "recursion, pushes and pops",
  class: "integer",
  size: 34,
  tiny: 10,
  write,
};
