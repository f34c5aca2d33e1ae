/**
 * Our side of the comparison: one CPU on an engine with QEMU's memory and registers, and a host that has no
 * devices. What a device would have answered is taken from QEMU; interrupts come when QEMU had them.
 */
import type { AccessSize, Cpu, CpuHost, Engine, Vm } from "../../src/engine/contract.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import type { CpuidLeaf } from "../../src/x86/cpuid.js";

/** Answers nothing of substance and remembers that it was asked. */
export class SilentHost implements CpuHost {
  /** Set by every access to a device; the comparison clears it. */
  touched = false;
  private readonly vectors: number[] = [];
  private ticks = 0;

  readPort(_cpu: number, _port: number, size: AccessSize): number {
    this.touched = true;
    return size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
  }

  writePort(): void {
    this.touched = true;
  }

  readMmio(): number {
    this.touched = true;
    return 0;
  }

  writeMmio(): void {
    this.touched = true;
  }

  raise(vector: number): void {
    this.vectors.push(vector);
  }

  acknowledgeInterrupt(): number {
    return this.vectors.shift() ?? -1;
  }

  readApicMsr(): bigint {
    this.touched = true;
    return 0n;
  }

  writeApicMsr(): boolean {
    return true;
  }

  readTaskPriority(): number {
    return 0;
  }

  writeTaskPriority(): void {
    this.touched = true;
  }

  readTsc(): number {
    return ++this.ticks;
  }
}

export interface Side {
  vm: Vm;
  cpu: Cpu;
  host: SilentHost;
}

/** A VM with QEMU's RAM and registers. */
export function makeSide(
  engine: Engine,
  ram: Uint8Array,
  state: CpuState,
  cpuid: readonly CpuidLeaf[],
): Side {
  const host = new SilentHost();
  const vm = engine.createVm({ ranges: [{ start: 0, size: ram.length }] }, host);
  vm.memory.write(0, ram);
  const cpu = vm.createCpu(0, cpuid);
  cpu.writeState(state);
  return { vm, cpu, host };
}
