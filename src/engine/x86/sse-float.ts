/**
 * SSE to SSE4.1 floating point, exact in every mode, flag and NaN: the slow path behind generated code. Operands
 * and results lie in the engine's memory and are named by byte offsets, so that WebAssembly can call it with i32
 * arguments only. Knows no instruction encoding and no CPU state but MXCSR.
 *
 * Specification: Intel SDM vol. 1 chapters 10–12; vol. 2 (the instructions named).
 */
import { XMM_BYTES } from "../../spec/x86-encoding.js";
import {
  TWO_OPERAND,
  addSubtract,
  dotProduct,
  eachLane,
  horizontal,
  roundLanes,
  squareRoots,
} from "./sse/arithmetic.js";
import type { Run } from "./sse/arithmetic.js";
import { approximateReciprocal } from "./sse/approximate.js";
import { compareLanes, compareToEflags } from "./sse/compare.js";
import { DOUBLE, SINGLE, faults, prepare, reportedFlags, type Lane } from "./sse/context.js";
import { fromIntegers, narrow, toGeneralRegister, toIntegers, widen } from "./sse/convert.js";

/** One operation: how it computes and how many result bytes reach the destination. */
interface Operation {
  run: Run;
  /** Bytes written at the destination; 0 for comparisons to EFLAGS. */
  bytes: number;
}

const operations = new Map<string, Operation>();

function define(name: string, bytes: number, run: Run): void {
  operations.set(name, { run, bytes });
}

/** The four forms of an operation by lanes: all of a register or only the lowest. */
const FORMS: readonly { suffix: string; lane: Lane; count: number; bytes: number }[] = [
  { suffix: "ps", lane: SINGLE, count: 4, bytes: XMM_BYTES },
  { suffix: "pd", lane: DOUBLE, count: 2, bytes: XMM_BYTES },
  { suffix: "ss", lane: SINGLE, count: 1, bytes: SINGLE.bytes },
  { suffix: "sd", lane: DOUBLE, count: 1, bytes: DOUBLE.bytes },
];

for (const { suffix, lane, count, bytes } of FORMS) {
  for (const [root, operation] of Object.entries(TWO_OPERAND)) {
    define(root + suffix, bytes, eachLane(operation, lane, count));
  }
  define(`sqrt${suffix}`, bytes, squareRoots(lane, count));
  define(`cmp${suffix}`, bytes, compareLanes(lane, count));
  define(`round${suffix}`, bytes, roundLanes(lane, count));
  if (count > 1) {
    define(`addsub${suffix}`, bytes, addSubtract(lane));
    define(`hadd${suffix}`, bytes, horizontal(false, lane));
    define(`hsub${suffix}`, bytes, horizontal(true, lane));
    define(`dp${suffix}`, bytes, dotProduct(lane, count));
  } else {
    define(`comi${suffix}`, 0, compareToEflags(lane, true));
    define(`ucomi${suffix}`, 0, compareToEflags(lane, false));
    for (const width of [32, 64] as const) {
      define(`cvtsi2${suffix}${width}`, bytes, fromIntegers(width, lane, 1));
      define(`cvt${suffix}2si${width}`, 8, toGeneralRegister(lane, width, false));
      define(`cvtt${suffix}2si${width}`, 8, toGeneralRegister(lane, width, true));
    }
  }
}

define("rcpps", XMM_BYTES, approximateReciprocal(false, 4));
define("rcpss", SINGLE.bytes, approximateReciprocal(false, 1));
define("rsqrtps", XMM_BYTES, approximateReciprocal(true, 4));
define("rsqrtss", SINGLE.bytes, approximateReciprocal(true, 1));

define("cvtss2sd", 8, widen(1));
define("cvtps2pd", XMM_BYTES, widen(2));
define("cvtsd2ss", 4, narrow(1));
define("cvtpd2ps", XMM_BYTES, narrow(2));
define("cvtdq2ps", XMM_BYTES, fromIntegers(32, SINGLE, 4));
define("cvtdq2pd", XMM_BYTES, fromIntegers(32, DOUBLE, 2));
define("cvtpi2ps", 8, fromIntegers(32, SINGLE, 2));
define("cvtpi2pd", XMM_BYTES, fromIntegers(32, DOUBLE, 2));
for (const [prefix, truncate] of [
  ["cvt", false],
  ["cvtt", true],
] as const) {
  define(`${prefix}ps2dq`, XMM_BYTES, toIntegers(SINGLE, 4, truncate));
  define(`${prefix}pd2dq`, XMM_BYTES, toIntegers(DOUBLE, 2, truncate));
  define(`${prefix}ps2pi`, 8, toIntegers(SINGLE, 2, truncate));
  define(`${prefix}pd2pi`, 8, toIntegers(DOUBLE, 2, truncate));
}

/** Mnemonics of all operations; an operation's number is its index. GPR conversions end in the integer's width. */
export const SSE_FLOAT_OPERATIONS: readonly string[] = [...operations.keys()];
const TABLE: readonly Operation[] = [...operations.values()];

/** The number of an operation. A RangeError names one that does not exist. */
export function sseFloatOperation(mnemonic: string): number {
  const index = SSE_FLOAT_OPERATIONS.indexOf(mnemonic);
  if (index < 0)
    throw new RangeError(`no SSE floating-point operation is called ${JSON.stringify(mnemonic)}`);
  return index;
}

/** Result of `executeSseFloat` when #XM (or, without CR4.OSXMMEXCPT, #UD) is to be raised. */
export const SSE_FAULTED = -1;

/**
 * Performs an operation: destination := destination op source. MXCSR gains the flags found; if one is unmasked the
 * destination is left alone and SSE_FAULTED returned. Otherwise the EFLAGS bits (ZF, PF, CF; the others of
 * FLOAT_COMPARE_AFFECTED are zero) of COMI and UCOMI, or 0.
 *
 * @param operation number from `sseFloatOperation`
 * @param destination byte offset: the first operand and where the result goes. Scalar forms write 4 or 8 bytes and
 *   leave the rest; CVT…PI writes an MMX register's 8 bytes; CVT…SI a general register's 8
 * @param source byte offset of the second operand: as many bytes as the instruction reads
 * @param imm immediate of CMP, ROUND and DP; else ignored
 * @param mxcsr byte offset of MXCSR, 32 bits
 */
export function executeSseFloat(
  operation: number,
  view: DataView,
  destination: number,
  source: number,
  imm: number,
  mxcsr: number,
): number {
  const { run, bytes } = TABLE[operation];
  const control = view.getUint32(mxcsr, true);
  const context = prepare(view, destination, source, imm, control);
  run(context);
  const { env, result, eflags } = context;
  const flags = reportedFlags(context);
  if (flags !== 0) view.setUint32(mxcsr, control | flags, true);
  if (faults(env)) return SSE_FAULTED;
  for (let at = 0; at < bytes; at += 4) view.setUint32(destination + at, result.getUint32(at, true), true);
  return eflags;
}
