/**
 * What the engine calls: routes each access to a bus, to the accessing CPU's own local APIC, or to the clock.
 * Knows no device by name.
 */
import type { AccessSize, CpuHost } from "../engine/contract.js";
import { APIC_BASE } from "../spec/apic.js";
import type { Board } from "./board.js";
import type { MachineClock } from "./clock.js";

/** Builds the engine's view of a wired board. Without `random32` the engine has a fixed sequence. */
export function createCpuHost(
  board: Board,
  clock: MachineClock,
  random32: (() => number) | undefined,
  woken: (cpu: number) => void,
): CpuHost {
  const { ports, mmio, apics } = board;
  /** Offset into the APIC page of `cpu`, or -1. */
  const apicOffset = (cpu: number, address: number): number => {
    const base = apics[cpu].mmioBase;
    if (base === undefined) return -1;
    const offset = address - base;
    return offset >= 0 && offset < APIC_BASE.pageSize ? offset : -1;
  };
  const host: CpuHost = {
    readPort: (_cpu, port, size) => ports.read(port, size),
    writePort: (_cpu, port, size, value) => ports.write(port, size, value),
    readMmio(cpu: number, address: number, size: AccessSize): number {
      const offset = apicOffset(cpu, address);
      return offset < 0 ? mmio.read(address, size) : apics[cpu].readMmio(offset, size);
    },
    writeMmio(cpu: number, address: number, size: AccessSize, value: number): void {
      const offset = apicOffset(cpu, address);
      if (offset < 0) mmio.write(address, size, value);
      else apics[cpu].writeMmio(offset, size, value);
    },
    acknowledgeInterrupt: (cpu) => apics[cpu].acknowledge(),
    readApicMsr: (cpu, index) => apics[cpu].readMsr(index),
    writeApicMsr: (cpu, index, value) => apics[cpu].writeMsr(index, value),
    readTaskPriority: (cpu) => apics[cpu].readTaskPriority(),
    writeTaskPriority: (cpu, value) => apics[cpu].writeTaskPriority(value),
    woken,
    readTsc: (_cpu, instructions) => clock.tsc(instructions),
  };
  if (random32 !== undefined) host.random32 = random32;
  return host;
}
