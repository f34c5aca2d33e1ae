/** What tests of single system instructions share: running one, expecting its fault, modes with a stack. */
import assert from "node:assert/strict";
import { GuestFault } from "../../../src/engine/x86/system/faults.js";
import { HELPERS } from "../../../src/engine/x86/system/instructions.js";
import {
  createBench,
  GPR,
  KERNEL_DATA,
  longMode,
  protectedMode,
  record,
  TSS,
  type Bench,
  type RecordFields,
} from "./bench.js";

export const MEMORY = 1 << 8;
export const RAX = GPR(0);
export const RCX = GPR(1);
export const RDX = GPR(2);
export const RBX = GPR(3);
export const RSP = GPR(4);
export const STACK = 0x8000;
export const CONTINUE = 1;
export const RESOLVE = 0;

/** 64-bit mode with a stack. */
export function long(cpl = 0): Bench {
  const bench = createBench();
  longMode(bench, cpl);
  bench.cpu.setAddress(RSP, STACK);
  return bench;
}

/** 32-bit protected mode with a stack and one for level 0. */
export function legacy(cpl = 0): Bench {
  const bench = createBench();
  protectedMode(bench, cpl);
  bench.cpu.setAddress(RSP, STACK);
  bench.poke(TSS + 4, 4, 0x9000);
  bench.poke(TSS + 8, 4, KERNEL_DATA);
  return bench;
}

/** Executes one instruction: 1 when it continues, 0 when it stored RIP. Faults are thrown. */
export function run({ cpu }: Bench, mnemonic: string, fields: RecordFields = {}, info = 8): number {
  return HELPERS[mnemonic](cpu, record(cpu, fields), info);
}

/** Asserts that the instruction faults with this vector and error code. */
export function faults(
  bench: Bench,
  vector: number,
  code: number,
  mnemonic: string,
  fields: RecordFields = {},
  info = 8,
): void {
  assert.throws(
    () => run(bench, mnemonic, fields, info),
    (error) => error instanceof GuestFault && error.vector === vector && error.errorCode === code,
    `${mnemonic}: expected exception ${vector}(0x${code.toString(16)})`,
  );
}
