/** The instructions around the next one of a CPU. */
import { Decoder } from "../../engine/x86/decode.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { instructionAt, type InstructionText } from "./instruction-text.js";

/** Reads linear memory; undefined where it is not mapped. */
export type Read = (linear: bigint, length: number) => Uint8Array | undefined;

const EFER_LMA = 1n << 10n;
const ACCESS_LONG = 1 << 13;
const ACCESS_BIG = 1 << 14;

/** Bytes of operands and addresses unless prefixes say otherwise. */
export function codeSize({ efer, cs }: Pick<CpuState, "efer" | "cs">): 2 | 4 | 8 {
  if ((efer & EFER_LMA) !== 0n && (cs.access & ACCESS_LONG) !== 0) return 8;
  return (cs.access & ACCESS_BIG) !== 0 ? 4 : 2;
}

/** The linear address of the next instruction. */
export function linearRip(state: Pick<CpuState, "efer" | "cs" | "rip">): bigint {
  return codeSize(state) === 8 ? state.rip : BigInt.asUintN(32, state.cs.base + state.rip);
}

const BEFORE = 48;
const AFTER = 64;
const SHOWN_BEFORE = 4;
const SHOWN_AFTER = 5;

/**
 * Up to 4 instructions before `rip` and 6 from it on. Where earlier ones begin is guessed: they have to lead to `rip`, from the
 * symbol's beginning where that is near.
 */
export function codeAround(
  read: Read,
  rip: bigint,
  size: 2 | 4 | 8,
  symbolStart: bigint | undefined,
): InstructionText[] {
  const decoder = new Decoder();
  const behind = readUpTo(read, rip, AFTER);
  const after = decodeRun(decoder, behind, rip, size).slice(0, SHOWN_AFTER + 1);
  const near = symbolStart !== undefined && symbolStart <= rip && rip - symbolStart < 4096n;
  const starts = near ? [symbolStart] : Array.from({ length: BEFORE }, (_, i) => rip - BigInt(BEFORE - i));
  for (const start of starts) {
    const bytes = start < 0n ? undefined : read(start, Number(rip - start));
    if (bytes === undefined) continue;
    const run = decodeRun(decoder, bytes, start, size);
    const last = run.at(-1);
    if (last !== undefined && last.address + BigInt(last.length) === rip)
      return [...run.slice(-SHOWN_BEFORE), ...after];
  }
  return after;
}

/** As many bytes as there are. */
function readUpTo(read: Read, from: bigint, length: number): Uint8Array {
  for (let some = length; some > 0; some = Math.floor(some / 2)) {
    const bytes = read(from, some);
    if (bytes !== undefined) return bytes;
  }
  return new Uint8Array(0);
}

/** Instructions behind each other, up to one that does not end in the bytes. */
export function decodeRun(
  decoder: Decoder,
  bytes: Uint8Array,
  address: bigint,
  size: 2 | 4 | 8,
): (InstructionText & { instruction: Decoder["instruction"] })[] {
  const run = [];
  for (let at = 0; at < bytes.length;) {
    const one = instructionAt(decoder, bytes, at, address + BigInt(at), size);
    if (one === undefined) break;
    run.push(one);
    at += one.length;
  }
  return run;
}
