/**
 * What the engine calls: routes each access to a bus, to the accessing CPU's own local APIC, or to the clock.
 * Knows no device by name.
 */
import type { AccessSize, CpuHost } from "../engine/contract.js";
import type { AccessTap } from "./accesses.js";
import { APIC_BASE } from "../spec/apic.js";
import type { Board } from "./board.js";
import type { MachineClock } from "./clock.js";

/** What an engine's view needs beside the board. */
export interface CpuHostWiring {
  clock: MachineClock;
  random32: () => number;
  woken: (cpu: number) => void;
  /** Called before a device is accessed. */
  accessing: () => void;
  /** Its watcher is told behind it. */
  tap: AccessTap;
}

/** The vector that CPU `cpu` takes, or -1. */
function told(tap: AccessTap, cpu: number, vector: number): number {
  if (vector >= 0) tap.interrupt?.(cpu, vector);
  return vector;
}

/** Builds the engine's view of the machine's board, which a reset replaces. */
export function createCpuHost(
  board: () => Board,
  { clock, random32, woken, accessing, tap }: CpuHostWiring,
): CpuHost {
  const apic = (cpu: number): Board["apics"][number] => board().apics[cpu];
  /** Offset into the APIC page of `cpu`, or -1. */
  const apicOffset = (cpu: number, address: number): number => {
    const base = apic(cpu).mmioBase;
    if (base === undefined) return -1;
    const offset = address - base;
    return offset >= 0 && offset < APIC_BASE.pageSize ? offset : -1;
  };
  const msr = (cpu: number, address: number, write: boolean, value: bigint): void =>
    tap.watch?.({ cpu, space: "msr", address, size: 8, write, value: Number(BigInt.asUintN(32, value)) });
  return {
    readPort(cpu: number, port: number, size: AccessSize): number {
      accessing();
      const value = board().ports.read(port, size);
      tap.watch?.({ cpu, space: "port", address: port, size, write: false, value });
      return value;
    },
    writePort(cpu: number, port: number, size: AccessSize, value: number): void {
      accessing();
      board().ports.write(port, size, value);
      tap.watch?.({ cpu, space: "port", address: port, size, write: true, value });
    },
    readMmio(cpu: number, address: number, size: AccessSize): number {
      accessing();
      const offset = apicOffset(cpu, address);
      const value = offset < 0 ? board().mmio.read(address, size) : apic(cpu).readMmio(offset, size);
      tap.watch?.({ cpu, space: "memory", address, size, write: false, value });
      return value;
    },
    writeMmio(cpu: number, address: number, size: AccessSize, value: number): void {
      accessing();
      const offset = apicOffset(cpu, address);
      if (offset < 0) board().mmio.write(address, size, value);
      else apic(cpu).writeMmio(offset, size, value);
      tap.watch?.({ cpu, space: "memory", address, size, write: true, value });
    },
    acknowledgeInterrupt: (cpu) => told(tap, cpu, apic(cpu).acknowledge()),
    readApicMsr(cpu: number, index: number): bigint | undefined {
      accessing();
      const value = apic(cpu).readMsr(index);
      if (value !== undefined) msr(cpu, index, false, value);
      return value;
    },
    writeApicMsr(cpu: number, index: number, value: bigint): boolean {
      accessing();
      msr(cpu, index, true, value);
      return apic(cpu).writeMsr(index, value);
    },
    readTaskPriority: (cpu) => apic(cpu).readTaskPriority(),
    writeTaskPriority: (cpu, value) => apic(cpu).writeTaskPriority(value),
    woken,
    readTsc: (_cpu, instructions) => clock.tsc(instructions),
    random32,
  };
}
