/**
 * SHA-256 over a message of any number of blocks: the schedule in a loop, eight rounds a loop turn, roles of the
 * registers rotating instead of their values, as compilers do it.
 *
 * Specification: NIST FIPS 180-4 §4.1.2, §4.2.2, §5.1.1, §5.3.3, §6.2.2.
 */
import { createHash } from "node:crypto";
import * as o from "../../test/support/asm/index.js";
import { dword, eax, ebx, ecx, edx, qword, rax, rsi } from "../../test/support/asm/index.js";
import type { Assembler, Gpr } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";
import { randomWords } from "./random.js";

const CONSTANTS = ARRAY;
const SCHEDULE = ARRAY + 0x100;
const STATE = ARRAY + 0x200;
const PADDING = ARRAY + 0x240;
const MESSAGE = ARRAY + 0x1000;
const BLOCK = 64;
/** The message repeats itself after so many blocks. */
const BLOCKS_IN_MEMORY = 64;
const ROUNDS = 64;
const UNROLLED = 8;

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n);
  return found;
}

const fraction = (x: number): number => ((x % 1) * 2 ** 32) >>> 0;

/** 0x80, zeros, the message's length in bits as a big-endian number. */
function padding(messageBytes: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block[0] = 0x80;
  new DataView(block.buffer).setBigUint64(BLOCK - 8, BigInt(messageBytes) * 8n);
  return block;
}

/** d = rotations of s by `first` and `second`, and a rotation or shift by `third`, combined. Clobbers EBX. */
function sigma(a: Assembler, d: Gpr, s: Gpr, [first, second, third]: number[], shift: boolean): void {
  a.mov(d, s).ror(d, first).mov(ebx, s).ror(ebx, second).xor(d, ebx).mov(ebx, s);
  (shift ? a.shr(ebx, third) : a.ror(ebx, third)).xor(d, ebx);
}

/** Expands the block at RSI. */
function schedule(a: Assembler): void {
  a.xor(ecx, ecx)
    .label("load")
    .mov(eax, dword({ base: rsi, index: o.rcx, scale: 4 }))
    .bswap(eax);
  a.mov(dword({ index: o.rcx, scale: 4, disp: SCHEDULE }), eax)
    .inc(ecx)
    .cmp(ecx, 16)
    .jcc("ne", "load");
  const word = (ago: number): o.Memory => dword({ index: o.rcx, scale: 4, disp: SCHEDULE - 4 * ago });
  a.label("expand").mov(eax, word(15));
  sigma(a, edx, eax, [7, 18, 3], true);
  a.mov(eax, word(2));
  sigma(a, o.edi, eax, [17, 19, 10], true);
  a.add(edx, o.edi).add(edx, word(16)).add(edx, word(7)).mov(word(0), edx);
  a.inc(ecx).cmp(ecx, ROUNDS).jcc("ne", "expand");
}

/** One round; `v` are the registers that play a to h. RCX is the round at which the unrolled eight began. */
function round(a: Assembler, v: readonly Gpr[], at: number): void {
  const [ra, rb, rc, rd, re, rf, rg, rh] = v;
  sigma(a, eax, re, [6, 11, 25], false);
  a.mov(edx, rf).xor(edx, rg).and(edx, re).xor(edx, rg);
  a.add(rh, eax).add(rh, edx);
  a.add(rh, dword({ index: o.rcx, scale: 4, disp: CONSTANTS + 4 * at }));
  a.add(rh, dword({ index: o.rcx, scale: 4, disp: SCHEDULE + 4 * at }));
  a.add(rd, rh);
  sigma(a, eax, ra, [2, 13, 22], false);
  a.mov(edx, ra).and(edx, rb).mov(ebx, ra).or(ebx, rb).and(ebx, rc).or(edx, ebx);
  a.add(rh, eax).add(rh, edx);
}

function compress(a: Assembler): void {
  const v = [o.r8d, o.r9d, o.r10d, o.r11d, o.r12d, o.r13d, o.r14d, o.r15d];
  a.label("compress");
  schedule(a);
  v.forEach((register, i) => a.mov(register, dword(STATE + 4 * i)));
  a.xor(ecx, ecx).label("rounds");
  for (let i = 0; i < UNROLLED; i++) round(a, [...v.slice(8 - i), ...v.slice(0, 8 - i)], i);
  a.add(ecx, UNROLLED).cmp(ecx, ROUNDS).jcc("b", "rounds");
  v.forEach((register, i) => a.add(dword(STATE + 4 * i), register));
  a.ret();
}

/** The digest's words, folded to one of 64 bits as the guest does it. */
function folded(message: Uint8Array, blocks: number): bigint {
  const hash = createHash("sha256");
  for (let left = blocks; left > 0; left -= BLOCKS_IN_MEMORY)
    hash.update(left >= BLOCKS_IN_MEMORY ? message : message.subarray(0, left * BLOCK));
  const digest = hash.digest();
  let result = 0n;
  for (let i = 0; i < 32; i += 8)
    result ^= BigInt(digest.readUInt32BE(i)) | (BigInt(digest.readUInt32BE(i + 4)) << 32n);
  return result;
}

function write(g: GuestBuilder, blocks: number): bigint {
  const { a } = g;
  const message = new Uint8Array(randomWords((BLOCKS_IN_MEMORY * BLOCK) / 4).buffer);
  g.data(CONSTANTS, new Uint8Array(Uint32Array.from(primes(64), (p) => fraction(Math.cbrt(p))).buffer));
  g.data(STATE, new Uint8Array(Uint32Array.from(primes(8), (p) => fraction(Math.sqrt(p))).buffer));
  g.data(PADDING, padding(blocks * BLOCK));
  g.data(MESSAGE, message);
  a.xor(o.ebp, o.ebp).label("block");
  a.mov(o.esi, o.ebp)
    .and(o.esi, BLOCKS_IN_MEMORY - 1)
    .shl(o.esi, 6)
    .add(o.esi, MESSAGE)
    .call("compress");
  a.inc(o.ebp).cmp(o.ebp, blocks).jcc("ne", "block");
  a.mov(o.esi, PADDING).call("compress");
  a.mov(rax, qword(STATE));
  for (let i = 8; i < 32; i += 8) a.xor(rax, qword(STATE + i));
  a.jmp(DONE);
  compress(a);
  return folded(message, blocks);
}

/** Size: blocks of 64 bytes. */
export const sha256: ComputeProgram = {
  name: "sha256",
  what: "rotations, many live registers",
  class: "integer",
  size: 100_000,
  tiny: 70,
  write,
};
