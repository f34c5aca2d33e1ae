/**
 * RDTSC and RDTSCP: the machine says what the time-stamp counter is at an instruction and how it grows with each (layout.ts, TSC_…), so
 * that reading it asks nobody. Where the machine says nothing, or the guest forbids it, the helpers do it (system/time.ts).
 *
 * Specification: Intel SDM vol. 2B, RDTSC, RDTSCP.
 */
import { CR4_TSD } from "../../../spec/x86-privileged.js";
import { TICK_PARTS } from "../../contract.js";
import type { Value } from "../../ir/ir.js";
import * as L from "../layout.js";
import type { InstructionBuilder, SemanticsTable } from "./instruction-builder.js";

const RATE_SHIFT = Math.log2(TICK_PARTS);
const [EAX, ECX, EDX] = [0, 1, 2];

/** The counter at this instruction, i64. */
function timeStamp(b: InstructionBuilder): Value {
  const executed = b.extendS(b.sub(b.state("i32.load", L.TSC_ORIGIN), b.remaining()));
  const grown = b.shrU(b.mul(executed, b.state("i64.load", L.TSC_RATE)), b.i64(RATE_SHIFT));
  const ticks = b.add(b.state("i64.load", L.TSC_BASE), grown);
  return b.add(ticks, b.state("i64.load", L.MSR_TSC_ADJUST));
}

function readTimeStamp(b: InstructionBuilder, name: string): void {
  const forbids = b.and(b.state("i32.load", L.CR4), b.i32(CR4_TSD));
  const forbidden = b.and(b.ne(forbids, b.i32(0)), b.ne(b.state("i32.load", L.CPL), b.i32(0)));
  const unknown = b.ltS(b.state("i64.load", L.TSC_RATE), b.i64(0));
  b.if(b.or(forbidden, unknown), () => b.helper(name));
  const ticks = timeStamp(b);
  b.setGpr(EAX, 4, b.wrap(ticks));
  b.setGpr(EDX, 4, b.wrap(b.shrU(ticks, b.i64(32))));
}

export const TIME_STAMP: SemanticsTable = {
  rdtsc: (b) => readTimeStamp(b, "rdtsc"),
  rdtscp: (b) => {
    readTimeStamp(b, "rdtscp");
    b.setGpr(ECX, 4, b.state("i32.load", L.TSC_AUX));
  },
};
