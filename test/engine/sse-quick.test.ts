/**
 * Quick paths of SSE floating point against the exact unit: every form that has one, under MXCSR values that allow it and
 * that do not, on corner cases and random numbers close to each other. At the edges of the exponent range: sse-quick.full.test.ts.
 *
 * Specification: SDM vol. 1 §11.5 (exceptions), vol. 2 (the instructions).
 */
import { test } from "node:test";
import { Random } from "../oracle/random.js";
import { compareForm, FORMS, type Row, tableOf } from "./sse-quick.js";

const ROWS = 800;
const SEED = 0x513df10a;
/** To nearest, PE set and clear; the other modes; DAZ and FTZ, alone and together. */
const CONTROLS = [
  0x1f80, 0x1fa0, 0x1fa0, 0x1fa0, 0x3fa0, 0x5fa0, 0x7f80, 0x9fe0, 0x1fe0, 0x9fa0, 0x9f80, 0x1fbf,
];
/** Bit patterns of doubles, or of two singles. */
const CORNERS = [0n, 1n << 63n, 0x3ff0000000000000n, 0x0010000000000000n, 0x0010000000000001n, 0x000fffffffffffffn,
  0x7ff0000000000000n, 0xfff8000000000000n, 0x7ff0000000000001n, 0x7fefffffffffffffn, 0x41dfffffffc00000n,
  0x41dfffffffe00000n, 0xc1e0000000000000n, 0x43e0000000000000n, 0x3fe0000000000000n, 0x4330000000000001n,
  0x3810000000000000n, 0x380fffffffffffffn, 0x47efffffe0000000n, 0x47efffffefffffffn, 0x1ff0000000000000n,
  0x3f80000000800000n, 0x008000017f7fffffn, 0x4f0000004effffffn, 0x7fc0000080000000n, 0x7f80000100000001n,
  0x3f0000004b800001n, 0x4008000000000000n, 0x4040000040400000n, 0x0000000100000002n, 0x7fffffff80000000n]; // prettier-ignore

/** Bits of a number with few significant digits and a small exponent, whose products and quotients are often exact. */
function plainNumber(random: () => bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  const value = (Number(random() % 4001n) - 2000) / 2 ** Number(random() % 4n);
  if ((random() & 1n) === 0n) view.setFloat64(0, value);
  else {
    view.setFloat32(0, value);
    view.setFloat32(4, Number(random() % 100n) + 0.1);
  }
  return view.getBigUint64(0);
}

function word(random: () => bigint): bigint {
  const choice = Number(random() & 7n);
  if (choice < 3) return CORNERS[Number(random() % BigInt(CORNERS.length))] ^ ((random() & 1n) << 63n);
  if (choice < 6) return plainNumber(random);
  return random();
}

function makeRows(random: () => bigint): Row[] {
  return Array.from({ length: ROWS }, () => ({
    left: [word(random), word(random)] as const,
    right: [word(random), word(random)] as const,
    control: CONTROLS[Number(random() % BigInt(CONTROLS.length))],
  }));
}

test("R6.1 quick paths of SSE floating point do what the exact unit does", () => {
  const generator = new Random().seed(SEED);
  for (const form of FORMS) compareForm(form, tableOf(makeRows(() => generator.u64())));
});
