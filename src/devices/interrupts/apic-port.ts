/** One CPU's local APIC, as the CPU's instructions reach it: its register page, its MSRs, CR8 and the INTA cycle. */
import type { AccessSize } from "../device.js";
import type { LocalApic } from "./lapic.js";
import { readApicMsr, writeApicMsr, type ApicMsrFeatures } from "./lapic-msr.js";

export interface ApicPort {
  /** Guest-physical base of its register page; `undefined` while xAPIC mode is off. */
  readonly mmioBase: number | undefined;
  readMmio(offset: number, size: AccessSize): number;
  writeMmio(offset: number, size: AccessSize, value: number): void;
  /** `undefined` raises #GP(0). */
  readMsr(index: number): bigint | undefined;
  /** `false` raises #GP(0). */
  writeMsr(index: number, value: bigint): boolean;
  /** Acknowledges the highest deliverable interrupt; -1 when there is none. */
  acknowledge(): number;
  /** CR8, 0–15. */
  readTaskPriority(): number;
  writeTaskPriority(value: number): void;
}

/** The port of `apic` on a CPU with these features. */
export function apicPort(apic: LocalApic, features: ApicMsrFeatures): ApicPort {
  return {
    get mmioBase() {
      return apic.mmioBase;
    },
    readMmio: (offset, size) => apic.readMmio(offset, size),
    writeMmio: (offset, size, value) => apic.writeMmio(offset, size, value),
    readMsr: (index) => readApicMsr(apic, features, index),
    writeMsr: (index, value) => writeApicMsr(apic, features, index, value),
    acknowledge: () => apic.acknowledge(),
    readTaskPriority: () => apic.readTaskPriority(),
    writeTaskPriority: (value) => apic.writeTaskPriority(value),
  };
}
