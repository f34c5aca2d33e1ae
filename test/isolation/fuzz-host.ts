/**
 * The machine around a fuzzed CPU: every port and every address that is no RAM answers something, and now and then
 * does what devices do at the worst moment: raises the interrupt line, an NMI, stops the run, writes memory. All of
 * it follows from the seed and the order of accesses.
 */
import {
  MSR_IA32_APIC_BASE as APIC_BASE,
  MSR_IA32_TSC_DEADLINE as TSC_DEADLINE,
} from "../../src/spec/x86-msr.js";
import type { AccessSize, Cpu, CpuHost, GuestMemory } from "../../src/engine/contract.js";
import type { Random } from "../support/random.js";
import { CODE, CODE_SIZE } from "./fuzz-worlds.js";

const DMA_BYTES = 24;

export class FuzzHost implements CpuHost {
  cpu: Cpu | undefined;
  memory: GuestMemory | undefined;
  /** Accesses of all kinds, for the report. */
  accesses = 0;
  /** What the CPU had executed when the current `run` began. */
  before = 0;
  /** Exact count of instructions that the last clock reading claimed; must never fall. */
  private lastTsc = 0;
  private priority = 0;
  private line = false;

  constructor(private readonly random: Random) {}

  readPort(_cpu: number, _port: number, size: AccessSize): number {
    return this.answer(size);
  }

  writePort(): void {
    this.answer(4);
  }

  readMmio(_cpu: number, address: number, size: AccessSize): number {
    this.check(address);
    return this.answer(size);
  }

  writeMmio(_cpu: number, address: number, size: AccessSize, value: number): void {
    this.check(address);
    if (!(value >= 0 && value < 2 ** (8 * size))) throw new Error(`${size} bytes of ${value}`);
    this.answer(4);
  }

  acknowledgeInterrupt(): number {
    const vector = this.random.below(8) === 0 ? -1 : this.random.below(256);
    if (this.random.below(4)) this.setLine(false);
    return vector;
  }

  readApicMsr(_cpu: number, index: number): bigint | undefined {
    return index === APIC_BASE ? 0xfee00900n : index === TSC_DEADLINE ? 0n : undefined;
  }

  writeApicMsr(_cpu: number, index: number): boolean {
    return index === APIC_BASE || index === TSC_DEADLINE;
  }

  readTaskPriority(): number {
    return this.priority;
  }

  writeTaskPriority(_cpu: number, value: number): void {
    if (!(value >= 0 && value <= 15)) throw new Error(`CR8 of ${value}`);
    this.priority = value;
    this.answer(1);
  }

  readTsc(_cpu: number, instructions: number): number {
    const now = this.before + instructions;
    if (!Number.isSafeInteger(now) || now < this.lastTsc)
      throw new Error(`clock went from ${this.lastTsc} to ${now}`);
    this.lastTsc = now;
    return now * 3;
  }

  setLine(raised: boolean): void {
    this.line = raised;
    this.cpu?.setInterruptLine(raised);
  }

  get lineRaised(): boolean {
    return this.line;
  }

  /** Writes some bytes over the code, as a disk would. */
  dma(): void {
    const bytes = Uint8Array.from({ length: DMA_BYTES }, () => this.random.below(256));
    this.memory?.write(CODE + this.random.below(CODE_SIZE), bytes);
  }

  private check(address: number): void {
    if (!Number.isSafeInteger(address) || address < 0 || address >= 2 ** 52)
      throw new Error(`physical address ${address}`);
  }

  private answer(size: AccessSize): number {
    this.accesses++;
    switch (this.random.below(64)) {
      case 0:
        this.setLine(true);
        break;
      case 1:
        this.cpu?.raiseNmi();
        break;
      case 2:
        this.cpu?.stop();
        break;
      case 3:
        this.dma();
        break;
      case 4:
        this.setLine(false);
        break;
    }
    return this.random.below(2 ** (8 * size));
  }
}
