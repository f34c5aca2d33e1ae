/**
 * The whole state of a machine but for its RAM, as plain data: what `Machine.save` gives and a machine that goes on elsewhere
 * is made from. Nothing of the engine's own is in it (compiled code, decoded instructions), and no callback: parts arm their
 * timers when they are made from their state. Survives `structuredClone`.
 */
import type { Plan } from "../boot/plan.js";
import type { Translations } from "../engine/contract.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { BoardState } from "./board.js";
import type { CpuStatus } from "./cpu-slot.js";

/** One CPU with what the run loop remembers about it. */
export interface SlotState {
  cpu: CpuState;
  /** Absent where the engine cannot tell them; then the CPU remembers none. */
  translations?: Translations;
  status: CpuStatus;
  /** Instructions that it has executed since power-on. */
  instructions: number;
  /** What it has used of the time that CPUs share. */
  used: number;
  /** PAUSE instructions that its turn has left; 0: any number. */
  pausesLeft: number;
}

/** Whose turn it is; CPUs by number. */
export interface TurnsState {
  /** All that have something to do, those that wait longest first. */
  ready: number[];
  interrupted: number[];
  arrived: number[];
  gone: number[];
  /** -1: nobody's. */
  current: number;
  /** What the current one will have used when its turn is over; absent where it is alone. */
  turnEnd?: number;
  waits: boolean;
  preempted: boolean;
  floor: number;
}

/** Instruction time, or real time. */
export type ClockState =
  | { kind: "deterministic"; instructions: number; skippedNs: number }
  /** ns since power-on, the TSC then, and what is still to be made up of time that was missed before. */
  | { kind: "real"; timeNs: number; ticks: number; missedNs: number };

export interface MachineState {
  plan: Plan;
  /** What a triple fault does. */
  tripleFault: "crash" | "reset";
  cpus: SlotState[];
  turns: TurnsState;
  /** Instructions since somebody last looked whether a CPU only jumps to itself. */
  sinceLook: number;
  parts: BoardState;
  clock: ClockState;
  /** Where the fixed sequence is that a deterministic machine's RDRAND gives. */
  random: number;
  /** Input that was taken from outside and that the console's port had no room for yet. */
  input: Uint8Array;
  /** Requests so far, by back end. */
  requests: [source: string, count: number][];
  /** How often the machine was restarted. */
  resets: number;
}

/** The machine cannot be saved now. */
export class SaveError extends Error {
  override readonly name = "SaveError";
}
