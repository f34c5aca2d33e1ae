/**
 * Three freestanding programs that only compute, as PVH kernels that any monitor can start: a sieve (stores and
 * short loops), a mixing function (register arithmetic, rotations), a linked list (loads that depend on each other,
 * calls). Each checks its own result against one computed here and ends through the debug-exit port.
 */
import {
  al,
  byte,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  esi,
  qword,
  r10d,
  r11d,
  r12,
  r12d,
  r9d,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../test/support/asm/index.js";
import type { Assembler } from "../test/support/asm/index.js";
import { guest } from "../test/conformance/support/guest.js";
import type { GuestBuilder } from "../test/conformance/support/guest.js";
import * as layout from "../test/conformance/support/layout.js";
import { stateLoaderElf } from "../test/support/qemu/state-loader.js";

export interface ComputeGuest {
  name: string;
  what: string;
  elf: Uint8Array;
}

/** Where the programs keep their data: RAM that their environment leaves free. */
const ARRAY = 0x800000;
const WRONG_RESULT = 1;

/** Ends with exit code 0 where `eax` is `expected`. */
function check(g: GuestBuilder, expected: number): void {
  const { a } = g;
  a.cmp(eax, expected >>> 0).jcc("ne", "wrong");
  g.exit();
  a.label("wrong");
  g.emitExit(WRONG_RESULT);
}

const SIEVE_SIZE = 2_000_000;
const SIEVE_REPEATS = 8;

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

function sieve(g: GuestBuilder): void {
  const { a } = g;
  a.mov(r12d, SIEVE_REPEATS).label("repeat");
  a.mov(rdi, ARRAY)
    .mov(ecx, SIEVE_SIZE / 8)
    .xor(eax, eax)
    .rep()
    .stos(64)
    .mov(ebx, 2);
  a.label("candidate").cmp(byte(rbx, ARRAY), 0).jcc("ne", "next").mov(rax, rbx).imul(rax, rbx);
  a.label("strike").mov(byte(rax, ARRAY), 1).add(rax, rbx).cmp(rax, SIEVE_SIZE).jcc("b", "strike");
  a.label("next")
    .inc(ebx)
    .cmp(ebx, Math.floor(Math.sqrt(SIEVE_SIZE)))
    .jcc("be", "candidate");
  a.xor(eax, eax).mov(ebx, 2);
  a.label("count")
    .movzx(ecx, byte(rbx, ARRAY))
    .xor(ecx, 1)
    .add(eax, ecx)
    .inc(ebx)
    .cmp(ebx, SIEVE_SIZE)
    .jcc("b", "count");
  a.dec(r12d).jcc("ne", "repeat");
  check(g, primesBelow(SIEVE_SIZE));
}

const MIX_ROUNDS = 16_000_000;
const MIX_WORDS = Array.from({ length: 16 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 0);

const rotateLeft = (v: number, by: number): number => ((v << by) | (v >>> (32 - by))) >>> 0;

function mixed(): number {
  let [a, b, d, s] = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a];
  for (let i = 0; i < MIX_ROUNDS; i++) {
    const t = ((rotateLeft(a, 7) ^ b) + MIX_WORDS[i & 15]) >>> 0;
    const next = ((rotateLeft(d, 21) + t) ^ s) >>> 0;
    [a, b, d, s] = [next, a, b, d];
  }
  return a;
}

function mixing(g: GuestBuilder): void {
  const { a } = g;
  const words = new DataView(new ArrayBuffer(64));
  MIX_WORDS.forEach((w, i) => words.setUint32(4 * i, w, true));
  g.data(ARRAY, new Uint8Array(words.buffer));
  a.mov(eax, 0x6a09e667)
    .mov(ebx, 0xbb67ae85)
    .mov(edx, 0x3c6ef372)
    .mov(esi, 0xa54ff53a)
    .xor(ecx, ecx)
    .mov(r12d, MIX_ROUNDS);
  a.label("round").mov(r9d, dword({ index: rcx, scale: 4, disp: ARRAY }));
  a.mov(r10d, eax).rol(r10d, 7).xor(r10d, ebx).add(r10d, r9d);
  a.mov(r11d, edx).ror(r11d, 11).add(r11d, r10d).xor(r11d, esi);
  a.mov(esi, edx).mov(edx, ebx).mov(ebx, eax).mov(eax, r11d);
  a.inc(ecx).and(ecx, 15).dec(r12d).jcc("ne", "round");
  check(g, mixed());
}

const NODES = 32_768;
const VISITS = 16_000_000;
/** Successor of node i: a full cycle through all nodes that jumps about. */
const MULTIPLIER = 12_765;
const INCREMENT = 4_093;

function listSum(): number {
  let [node, sum] = [0, 0];
  for (let i = 0; i < VISITS; i++) {
    const value = Math.imul(node, 7);
    sum = (sum + value) >>> 0;
    if ((value & 1) === 1) sum = rotateLeft(sum, 1);
    node = (node * MULTIPLIER + INCREMENT) % NODES;
  }
  return sum;
}

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

function linkedList(g: GuestBuilder): void {
  const { a } = g;
  buildList(a);
  a.mov(rsi, ARRAY).xor(ebx, ebx).mov(r12, VISITS);
  a.label("visit").call("node").mov(rsi, qword(rsi)).dec(r12).jcc("ne", "visit").mov(eax, ebx);
  check(g, listSum());
  a.label("node").push(rbp).mov(rbp, rsp).mov(eax, dword(rsi, 8)).add(ebx, eax).test(al, 1);
  a.jcc("e", "even").call("odd").label("even").pop(rbp).ret();
  a.label("odd").rol(ebx, 1).ret();
}

function program(name: string, what: string, write: (g: GuestBuilder) => void): ComputeGuest {
  const made = guest(name, { cites: what }, write);
  return { name, what, elf: stateLoaderElf(made.start, made.chunks, layout.RUNNER_PAGE) };
}

export function computeGuests(): ComputeGuest[] {
  return [
    program("sieve", "byte stores, short loops", sieve),
    program("mixing", "additions and rotations in registers", mixing),
    program("list", "dependent loads, calls", linkedList),
  ];
}
