/**
 * What the engine calls: routes each access to a bus, to the accessing CPU's own local APIC, or to the clock.
 * Knows no device by name.
 */
import type { AccessSize, CpuHost } from "../engine/contract.js";
import { APIC_BASE } from "../spec/apic.js";
import type { Board } from "./board.js";
import type { MachineClock } from "./clock.js";

/**
 * Builds the engine's view of the machine's board, which a reset replaces. `accessing` is called before a
 * device is accessed.
 */
export function createCpuHost(
  board: () => Board,
  clock: MachineClock,
  random32: () => number,
  woken: (cpu: number) => void,
  accessing: () => void,
): CpuHost {
  /** Offset into the APIC page of `cpu`, or -1. */
  const apicOffset = (cpu: number, address: number): number => {
    const base = board().apics[cpu].mmioBase;
    if (base === undefined) return -1;
    const offset = address - base;
    return offset >= 0 && offset < APIC_BASE.pageSize ? offset : -1;
  };
  return {
    readPort(_cpu: number, port: number, size: AccessSize): number {
      accessing();
      return board().ports.read(port, size);
    },
    writePort(_cpu: number, port: number, size: AccessSize, value: number): void {
      accessing();
      board().ports.write(port, size, value);
    },
    readMmio(cpu: number, address: number, size: AccessSize): number {
      accessing();
      const offset = apicOffset(cpu, address);
      return offset < 0 ? board().mmio.read(address, size) : board().apics[cpu].readMmio(offset, size);
    },
    writeMmio(cpu: number, address: number, size: AccessSize, value: number): void {
      accessing();
      const offset = apicOffset(cpu, address);
      if (offset < 0) board().mmio.write(address, size, value);
      else board().apics[cpu].writeMmio(offset, size, value);
    },
    acknowledgeInterrupt: (cpu) => board().apics[cpu].acknowledge(),
    readApicMsr(cpu: number, index: number): bigint | undefined {
      accessing();
      return board().apics[cpu].readMsr(index);
    },
    writeApicMsr(cpu: number, index: number, value: bigint): boolean {
      accessing();
      return board().apics[cpu].writeMsr(index, value);
    },
    readTaskPriority: (cpu) => board().apics[cpu].readTaskPriority(),
    writeTaskPriority: (cpu, value) => board().apics[cpu].writeTaskPriority(value),
    woken,
    readTsc: (_cpu, instructions) => clock.tsc(instructions),
    random32,
  };
}
