/**
 * Operands for the comparison with the host's CPU: corner values and seeded random ones, and their layout in
 * memory, which the generated loop reads and writes.
 */
import { STATUS } from "../support/model/flags.js";

export interface Row {
  /** RAX, RCX, RDX. */
  gpr: bigint[];
  flags: bigint;
  /** The 64 bytes of the memory operand. */
  memory: bigint[];
  /** XMM0 and XMM1, two words each. */
  xmm: bigint[];
}

/** Words of one row in memory: 3 registers, flags, 8 of memory, 4 of XMM. */
export const ROW_WORDS = 16;
/** Words of one result: RAX, RCX, RDX, flags, RSI and RDI (relative), XMM0, 8 of memory. */
export const RESULT_WORDS = 16;

export interface Result {
  gpr: bigint[];
  flags: bigint;
  /** RSI and RDI minus the address of the memory operand. */
  pointers: bigint[];
  xmm: bigint[];
  memory: bigint[];
}

/** Put in the place of the flags when the instruction raised #DE. */
export const RAISED = 0xdeaddeaddeaddeadn;

const FLAG_ONE = 2n;
const CORNERS = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn,
  0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, 0x00ff00ff00ff00ffn, 0x8080808080808080n]; // prettier-ignore
/** As doubles and as pairs of singles: ones, infinities, NaNs of both kinds, subnormals, the largest, halfway cases. */
const FLOAT_CORNERS = [0x3ff0000000000000n, 0xbff8000000000000n, 0x7ff0000000000000n, 0xfff0000000000000n,
  0x7ff8000000000001n, 0x7ff0000000000001n, 0x000fffffffffffffn, 0x0010000000000000n, 0x7fefffffffffffffn,
  0x41dfffffffe00000n, 0xc1e0000000000000n, 0x3fe0000000000000n, 0x3f800000bf800000n, 0x7f8000017fc00000n,
  0x807fffff00800000n, 0x7f7fffff33800000n, 0x4effffffcf000000n, 0x3f0000003fc00000n, 0x4330000000000001n]; // prettier-ignore

/** A small generator of good random words (xorshift64*), so that a failure can be repeated by its seed. */
export function randomWords(seed: bigint): () => bigint {
  let state = BigInt.asUintN(64, seed) || 1n;
  return () => {
    state ^= state >> 12n;
    state = BigInt.asUintN(64, state ^ (state << 25n));
    state ^= state >> 27n;
    return BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn);
  };
}

/** `count` rows; about half of all words are corner values. */
export function makeRows(count: number, seed: bigint, small: boolean): Row[] {
  const random = randomWords(seed);
  const word = (): bigint => {
    const choice = random();
    if ((choice & 1n) === 1n) return random();
    const corners = (choice & 2n) === 0n ? CORNERS : FLOAT_CORNERS;
    return corners[Number((choice >> 8n) % BigInt(corners.length))];
  };
  return Array.from({ length: count }, () => {
    const gpr = [word(), word(), word()];
    if (small) gpr[1] = random() % 5n;
    return {
      gpr,
      flags: (random() & STATUS) | FLAG_ONE,
      memory: Array.from({ length: 8 }, word),
      xmm: [word(), word(), word(), word()],
    };
  });
}

/** The rows of all forms as the program reads them. */
export function rowBytes(rows: readonly Row[][]): Uint8Array {
  const all = rows.flat();
  const view = new DataView(new ArrayBuffer(all.length * ROW_WORDS * 8));
  all.forEach((row, r) => {
    const words = [...row.gpr, row.flags, ...row.memory, ...row.xmm];
    words.forEach((w, i) => view.setBigUint64(8 * (r * ROW_WORDS + i), w, true));
  });
  return new Uint8Array(view.buffer);
}

/** Reads result `index` from the output of a run. */
export function readResult(output: Uint8Array, index: number): Result {
  const view = new DataView(output.buffer, output.byteOffset + index * RESULT_WORDS * 8, RESULT_WORDS * 8);
  const words = Array.from({ length: RESULT_WORDS }, (_, i) => view.getBigUint64(8 * i, true));
  return {
    gpr: words.slice(0, 3),
    flags: words[3],
    pointers: words.slice(4, 6),
    xmm: words.slice(6, 8),
    memory: words.slice(8, 16),
  };
}
