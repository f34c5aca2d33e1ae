/**
 * Who watches what the CPUs do with devices. Without a watcher an access costs one look more. Knows no device.
 */
import type { AccessSize } from "../engine/contract.js";

/** What is accessed: a port, device memory, or a register of the local APIC by its MSR. */
export type AccessSpace = "port" | "memory" | "msr";

/** One access of a CPU to a device, once it was answered. */
export interface DeviceAccess {
  cpu: number;
  space: AccessSpace;
  /** Port, guest-physical address or number of the MSR. */
  address: number;
  /** Bytes. */
  size: AccessSize | 8;
  write: boolean;
  /** What was written, or the answer; unsigned. Of an MSR the lower 32 bits. */
  value: number;
}

/** Told of each access. Must not touch the machine. */
export type AccessWatch = (access: DeviceAccess) => void;

/** Where the watchers of a machine are plugged in. */
export interface AccessTap {
  watch: AccessWatch | undefined;
  /** Told of each interrupt that a CPU takes, by its vector. */
  interrupt: ((cpu: number, vector: number) => void) | undefined;
}

/** Is told what a machine does, in order. Times are the machine's, ns since power-on. Must not touch the machine. */
export interface MachineTrace {
  access(at: number, access: DeviceAccess): void;
  interrupt(at: number, cpu: number, vector: number): void;
  /** A CPU ran for a while, and came back for `reason`. */
  ran(from: number, to: number, run: { cpu: number; reason: string; instructions: number }): void;
}
