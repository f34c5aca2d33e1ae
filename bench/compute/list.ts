/** A linked list that jumps about in 2 MiB: loads that depend on each other, one or two calls a node. */
import {
  al,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  qword,
  r12,
  rax,
  rbp,
  rdx,
  rsi,
  rsp,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const NODES = 32_768;
/** Successor of node i: a full cycle through all nodes (Hull and Dobell). */
const MULTIPLIER = 12_765;
const INCREMENT = 4_093;

function listSum(visits: number): number {
  let [node, sum] = [0, 0];
  for (let i = 0; i < visits; i++) {
    const value = Math.imul(node, 7);
    sum = (sum + value) >>> 0;
    if ((value & 1) === 1) sum = ((sum << 1) | (sum >>> 31)) >>> 0;
    node = (node * MULTIPLIER + INCREMENT) % NODES;
  }
  return sum;
}

/** A node is 64 bytes: its successor's address, its value. */
function buildList(a: Assembler): void {
  a.xor(ecx, ecx).label("build").mov(eax, ecx).shl(rax, 6);
  a.imul3(edx, ecx, 7)
    .mov(qword(rax, ARRAY + 8), rdx)
    .imul3(edx, ecx, MULTIPLIER)
    .add(edx, INCREMENT)
    .and(edx, NODES - 1);
  a.shl(edx, 6).add(edx, ARRAY).mov(qword(rax, ARRAY), rdx);
  a.inc(ecx).cmp(ecx, NODES).jcc("ne", "build");
}

function write({ a }: GuestBuilder, visits: number): number {
  buildList(a);
  a.mov(rsi, ARRAY).xor(ebx, ebx).mov(r12, visits);
  a.label("visit").call("node").mov(rsi, qword(rsi)).dec(r12).jcc("ne", "visit").mov(eax, ebx).jmp(DONE);
  a.label("node").push(rbp).mov(rbp, rsp).mov(eax, dword(rsi, 8)).add(ebx, eax).test(al, 1);
  a.jcc("e", "even").call("odd").label("even").pop(rbp).ret();
  a.label("odd").rol(ebx, 1).ret();
  return listSum(visits);
}

/** Size: visits. */
export const list: ComputeProgram = {
  name: "linked list",
  what: "dependent loads, calls",
  class: "integer",
  size: 16_000_000,
  tiny: 1_000,
  write,
};
