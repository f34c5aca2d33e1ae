/**
 * The machine around a conformance guest: an exit port, a text port, a local APIC just large enough to send
 * interrupts to itself, a scratch device, a counting clock. Implements the contract's `CpuHost`.
 *
 * Specification: SDM vol. 3A §10.4 (local APIC registers), §10.6.1 (ICR), §10.8.3 (priorities).
 */
import type { AccessSize, Cpu, CpuHost } from "../../../src/engine/contract.js";
import * as layout from "./layout.js";

const LAPIC_SIZE = 0x1000;
const LAPIC_ID = 0x20;
const LAPIC_TPR = 0x80;
const LAPIC_EOI = 0xb0;
const LAPIC_SVR = 0xf0;
const LAPIC_ICR = 0x300;
const ICR_DELIVERY = 0x700;
const ICR_NMI = 0x400;
const SVR_ENABLED = 0x100;
const IA32_APIC_BASE = 0x1b;
const APIC_BASE_ENABLED_BSP = 0xfee00900n;

/** A device with 4 KiB of registers that remember, and a log of what was asked. */
export const SCRATCH_MMIO = 0xe0000000;
export const SCRATCH_PORT = 0x500;

export interface Access {
  kind: "in" | "out" | "read" | "write";
  address: number;
  size: AccessSize;
  value: number;
}

const allOnes = (size: AccessSize): number => (size === 4 ? 0xffffffff : (1 << (8 * size)) - 1);

export class TestHost implements CpuHost {
  cpu: Cpu | undefined;
  /** Code the guest exited with. */
  exitCode: number | undefined;
  text = "";
  readonly accesses: Access[] = [];
  /** Called on every access to the scratch device, before it is answered. */
  onScratch: ((access: Access) => number | undefined) | undefined;
  private readonly scratch = new Map<number, number>();
  private apicBase = APIC_BASE_ENABLED_BSP;
  private tpr = 0;
  private enabled = true;
  private readonly requested = new Set<number>();
  private readonly inService: number[] = [];
  /** Vectors given by the test itself instead of the APIC. */
  readonly external: number[] = [];
  acknowledged: number[] = [];

  readPort(_cpu: number, port: number, size: AccessSize): number {
    if (port === SCRATCH_PORT) return this.access({ kind: "in", address: port, size, value: 0 });
    return allOnes(size);
  }

  writePort(_cpu: number, port: number, size: AccessSize, value: number): void {
    if (port === layout.EXIT_PORT) {
      this.exitCode = value & 0xff;
      this.cpu?.stop();
    } else if (port === layout.TEXT_PORT) {
      this.text += String.fromCharCode(value & 0xff);
    } else if (port === SCRATCH_PORT) {
      this.access({ kind: "out", address: port, size, value });
    }
  }

  readMmio(_cpu: number, address: number, size: AccessSize): number {
    if (address >= layout.LAPIC && address < layout.LAPIC + LAPIC_SIZE)
      return this.readLapic(address - layout.LAPIC);
    if (address >= SCRATCH_MMIO && address < SCRATCH_MMIO + 0x1000) {
      return this.access({ kind: "read", address, size, value: 0 });
    }
    return allOnes(size);
  }

  writeMmio(_cpu: number, address: number, size: AccessSize, value: number): void {
    if (address >= layout.LAPIC && address < layout.LAPIC + LAPIC_SIZE) {
      this.writeLapic(address - layout.LAPIC, value);
    } else if (address >= SCRATCH_MMIO && address < SCRATCH_MMIO + 0x1000) {
      this.access({ kind: "write", address, size, value });
    }
  }

  acknowledgeInterrupt(): number {
    const external = this.external.shift();
    const vector = external ?? this.deliverable();
    if (external === undefined && vector >= 0) {
      this.requested.delete(vector);
      this.inService.push(vector);
    }
    if (vector >= 0) this.acknowledged.push(vector);
    this.update();
    return vector;
  }

  readApicMsr(_cpu: number, index: number): bigint | undefined {
    return index === IA32_APIC_BASE ? this.apicBase : undefined;
  }

  writeApicMsr(_cpu: number, index: number, value: bigint): boolean {
    if (index === IA32_APIC_BASE) this.apicBase = value;
    return index === IA32_APIC_BASE;
  }

  readTaskPriority(): number {
    return this.tpr >> 4;
  }

  writeTaskPriority(_cpu: number, value: number): void {
    this.tpr = value << 4;
    this.update();
  }

  /** Ticks are instructions: exact and deterministic. */
  readTsc(_cpu: number, instructions: number): number {
    return 1_000_000 + (this.instructionsBefore + instructions) * 2;
  }

  /** What the CPU had executed before the current `run`. */
  instructionsBefore = 0;

  /** Raises the interrupt line with this vector, as an 8259 would. */
  raise(vector: number): void {
    this.external.push(vector);
    this.update();
  }

  private access(a: Access): number {
    const override = this.onScratch?.(a);
    if (a.kind === "out" || a.kind === "write") this.scratch.set(a.address, a.value);
    else a.value = ((override ?? this.scratch.get(a.address) ?? 0) & allOnes(a.size)) >>> 0;
    this.accesses.push(a);
    return a.value >>> 0;
  }

  private readLapic(offset: number): number {
    if (offset === LAPIC_ID) return 0;
    if (offset === LAPIC_TPR) return this.tpr;
    if (offset === LAPIC_SVR) return (this.enabled ? SVR_ENABLED : 0) | 0xff;
    return 0;
  }

  private writeLapic(offset: number, value: number): void {
    if (offset === LAPIC_TPR) this.tpr = value & 0xff;
    else if (offset === LAPIC_EOI) this.inService.pop();
    else if (offset === LAPIC_SVR) this.enabled = (value & SVR_ENABLED) !== 0;
    else if (offset === LAPIC_ICR) {
      if ((value & ICR_DELIVERY) === ICR_NMI) this.cpu?.raiseNmi();
      else this.requested.add(value & 0xff);
    }
    this.update();
  }

  /** The highest requested vector above task and processor priority, or -1. */
  private deliverable(): number {
    if (!this.enabled) return -1;
    const highest = Math.max(-1, ...this.requested);
    const serving = Math.max(0, ...this.inService) >> 4;
    const floor = Math.max(this.tpr >> 4, serving);
    return highest >> 4 > floor ? highest : -1;
  }

  private update(): void {
    this.cpu?.setInterruptLine(this.external.length > 0 || this.deliverable() >= 0);
  }
}
