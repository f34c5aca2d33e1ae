/**
 * A local APIC through model-specific registers: IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC registers.
 * An access that raises #GP(0) returns `undefined` (read) or `false` (write). Knows no CPU.
 * Specification: Intel SDM vol. 3A §11.4.4, §11.5.4.1, §11.12 (table 11-6, figure 11-27).
 */
import type { LocalApic } from "./lapic.js";
import {
  APIC_BASE,
  APIC_MSR,
  DIVIDE,
  ICR,
  LAPIC,
  LAPIC_STRIDE,
  LVT,
  LVT_WRITABLE,
  SVR,
} from "../../spec/apic.js";

/** What CPUID promises about the APIC. */
export interface ApicMsrFeatures {
  x2apic: boolean;
  tscDeadline: boolean;
  /** MAXPHYADDR, 36 to 52. */
  physicalAddressBits: number;
}

const WORD = 0xffffffffn;
/** Bits that are read-only but not reserved in LVT entries. */
const LVT_READ_ONLY = LVT.deliveryStatus | LVT.remoteIrr;

/** Registers that x2APIC mode can write, with the bits that are not reserved. ICR is handled apart. */
const X2APIC_WRITABLE = new Map<number, number>([
  [LAPIC.taskPriority, 0xff],
  [LAPIC.endOfInterrupt, 0],
  [LAPIC.spurious, SVR.writable],
  [LAPIC.errorStatus, 0],
  [LAPIC.lvtTimer, LVT_WRITABLE.timer | LVT_READ_ONLY],
  [LAPIC.lvtThermal, LVT_WRITABLE.monitor | LVT_READ_ONLY],
  [LAPIC.lvtPerformance, LVT_WRITABLE.monitor | LVT_READ_ONLY],
  [LAPIC.lvtLint0, LVT_WRITABLE.lint | LVT_READ_ONLY],
  [LAPIC.lvtLint1, LVT_WRITABLE.lint | LVT_READ_ONLY],
  [LAPIC.lvtError, LVT_WRITABLE.error | LVT_READ_ONLY],
  [LAPIC.initialCount, 0xffffffff],
  [LAPIC.divide, DIVIDE.writable],
  [LAPIC.selfIpi, ICR.vector],
]);
/** Registers that x2APIC mode cannot read. */
const X2APIC_UNREADABLE: readonly number[] = [
  LAPIC.arbitrationPriority,
  LAPIC.endOfInterrupt,
  LAPIC.remoteRead,
  LAPIC.destinationFormat,
  LAPIC.commandHigh,
  LAPIC.selfIpi,
];

function isX2apicMsr(index: number): boolean {
  return index >= APIC_MSR.x2apicFirst && index <= APIC_MSR.x2apicLast;
}

function registerOffset(index: number): number {
  return (index - APIC_MSR.x2apicFirst) * LAPIC_STRIDE;
}

/** Reads an MSR that belongs to the APIC; undefined is #GP(0). */
export function readApicMsr(apic: LocalApic, features: ApicMsrFeatures, index: number): bigint | undefined {
  if (index === APIC_MSR.base) return BigInt(apic.state.baseAddress) | BigInt(apic.state.baseFlags);
  if (index === APIC_MSR.tscDeadline) return features.tscDeadline ? apic.timer.readDeadline() : undefined;
  if (!isX2apicMsr(index) || !apic.x2apic) return undefined;
  const offset = registerOffset(index);
  if (X2APIC_UNREADABLE.includes(offset)) return undefined;
  const value = apic.readRegister(offset);
  if (value === undefined) return undefined;
  const high = offset === LAPIC.commandLow ? BigInt(apic.registers.commandHigh) << 32n : 0n;
  return high | BigInt(value >>> 0);
}

/** Writes an MSR that belongs to the APIC; false is #GP(0). */
export function writeApicMsr(
  apic: LocalApic,
  features: ApicMsrFeatures,
  index: number,
  value: bigint,
): boolean {
  if (index === APIC_MSR.base) return writeBase(apic, features, value);
  if (index === APIC_MSR.tscDeadline) {
    if (features.tscDeadline) apic.timer.writeDeadline(BigInt.asUintN(64, value));
    return features.tscDeadline;
  }
  if (!isX2apicMsr(index) || !apic.x2apic) return false;
  return writeX2apic(apic, registerOffset(index), value);
}

function writeX2apic(apic: LocalApic, offset: number, value: bigint): boolean {
  const low = Number(value & WORD);
  if (offset === LAPIC.commandLow) {
    if (low & ~(ICR.writable | LVT.deliveryStatus)) return false;
    apic.writeRegister(LAPIC.commandHigh, Number((value >> 32n) & WORD));
    return apic.writeRegister(LAPIC.commandLow, low);
  }
  const writable = X2APIC_WRITABLE.get(offset);
  if (writable === undefined || value > WORD || low & ~writable) return false;
  if (offset !== LAPIC.selfIpi) return apic.writeRegister(offset, low);
  apic.sendSelf(low);
  return true;
}

/** IA32_APIC_BASE: reserved bits and forbidden mode changes fault (figure 11-27). */
function writeBase(apic: LocalApic, features: ApicMsrFeatures, value: bigint): boolean {
  if (value >> BigInt(features.physicalAddressBits) !== 0n) return false;
  const flags = Number(value % BigInt(APIC_BASE.pageSize));
  if (flags & APIC_BASE.reserved) return false;
  const enable = (flags & APIC_BASE.enable) !== 0;
  const x2apic = (flags & APIC_BASE.x2apic) !== 0;
  if (x2apic && (!features.x2apic || !enable)) return false;
  if (apic.x2apic && enable && !x2apic) return false;
  if (!apic.enabled && x2apic) return false;
  apic.setBase(Number(value) - flags, flags);
  return true;
}
