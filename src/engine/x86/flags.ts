/**
 * RFLAGS out of and into its lazy form. The status flags are kept as the last result and a carry word; everything
 * else is one word. Generated code writes the same form.
 *
 * ```
 *  FLAG_RESULT  the result, sign-extended to 64 bits
 *  FLAG_CARRY    63   62            15..8          3    0
 *               ┌────┬──────┬─────┬──────────────┬────┬──────────┐
 *               │ CF │CF⊕OF │     │ parity delta │ AF │ SF delta │
 *               └────┴──────┴─────┴──────────────┴────┴──────────┘
 *  ZF = result is 0     SF = result bit 63 ⊕ SF delta     PF = even parity of (result ⊕ parity delta) bits 7..0
 * ```
 * Specification: Intel SDM vol. 1 §3.4.3.
 */
import {
  FLAG_AC,
  FLAG_AF,
  FLAG_ALWAYS,
  FLAG_CF,
  FLAG_OF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
} from "../../spec/x86-privileged.js";
import type { CpuContext } from "./cpu-context.js";
import * as L from "./layout.js";
import { refreshDataAccess } from "./mode.js";

const CARRY_AF = 8;
const CARRY_SF_DELTA = 1;
const CARRY_PARITY_SHIFT = 8;
const SIGN = 0x80000000;

/** Whether the low byte has an even number of ones. */
function evenParity(byte: number): boolean {
  const folded = (byte ^ (byte >>> 4)) & 0xf;
  return ((0x9669 >>> folded) & 1) !== 0;
}

/** The six status flags, at their places in RFLAGS. */
export function readStatusFlags(cpu: CpuContext): number {
  const resultLow = cpu.low(L.FLAG_RESULT);
  const resultHigh = cpu.upper(L.FLAG_RESULT);
  const carryLow = cpu.low(L.FLAG_CARRY);
  const carryHigh = cpu.upper(L.FLAG_CARRY);
  let flags = 0;
  if (carryHigh >>> 31) flags |= FLAG_CF;
  if (((carryHigh >>> 31) ^ (carryHigh >>> 30)) & 1) flags |= FLAG_OF;
  if (carryLow & CARRY_AF) flags |= FLAG_AF;
  if ((resultLow | resultHigh) === 0) flags |= FLAG_ZF;
  if (((resultHigh >>> 31) ^ carryLow) & CARRY_SF_DELTA) flags |= FLAG_SF;
  if (evenParity(resultLow ^ (carryLow >>> CARRY_PARITY_SHIFT))) flags |= FLAG_PF;
  return flags;
}

/** RFLAGS, low 32 bits (the rest is zero). */
export function readFlags(cpu: CpuContext): number {
  return readStatusFlags(cpu) | cpu.get32(L.FLAG_SYSTEM) | FLAG_ALWAYS;
}

function writeStatusFlags(cpu: CpuContext, flags: number): void {
  const zero = (flags & FLAG_ZF) !== 0;
  const result = zero ? 0 : 1;
  cpu.setPair(L.FLAG_RESULT, result, 0);
  const parityDelta = evenParity(result) === ((flags & FLAG_PF) !== 0) ? 0 : 1;
  let low = parityDelta << CARRY_PARITY_SHIFT;
  if (flags & FLAG_SF) low |= CARRY_SF_DELTA;
  if (flags & FLAG_AF) low |= CARRY_AF;
  const carry = (flags & FLAG_CF) !== 0;
  const overflow = (flags & FLAG_OF) !== 0;
  cpu.setPair(L.FLAG_CARRY, low, ((carry ? SIGN : 0) | (carry !== overflow ? SIGN >>> 1 : 0)) >>> 0);
}

/** Replaces the flags that `mask` selects by those of `value`; undefined bits stay as they must be. */
export function writeFlags(cpu: CpuContext, value: number, mask: number): void {
  if (mask & FLAGS_STATUS) {
    writeStatusFlags(cpu, (readStatusFlags(cpu) & ~mask) | (value & mask));
  }
  const system = mask & FLAGS_SYSTEM;
  if (system === 0) return;
  const old = cpu.get32(L.FLAG_SYSTEM);
  const next = (old & ~system) | (value & system) | FLAG_ALWAYS;
  cpu.set32(L.FLAG_SYSTEM, next);
  if ((old ^ next) & FLAG_AC) refreshDataAccess(cpu);
}
