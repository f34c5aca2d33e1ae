/**
 * The modes that random programs run in: 64-bit or 32-bit protected-mode code, as supervisor or as user. What of the
 * registers a program may use, how wide a word is, and how it asks for what only a supervisor may do.
 */
import { GPRS, memory, XMM } from "../support/asm/index.js";
import type { Gpr, GprSize, Memory, Xmm } from "../support/asm/index.js";

export interface ProgramMode {
  name: string;
  width: 32 | 64;
  user: boolean;
  /** Registers for anything, by code; those of them that have a low byte. */
  free: readonly number[];
  bytes: readonly number[];
  /** Registers for addresses, which are computed right before they are used. */
  pointers: readonly number[];
  /** Counters of outer and inner loops. */
  counters: readonly [number, number];
  sizes: readonly GprSize[];
  strings: readonly GprSize[];
  vectors: readonly Xmm[];
}

const LONG = {
  width: 64,
  free: [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11],
  bytes: [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11],
  pointers: [12, 13],
  counters: [14, 15],
  sizes: [8, 16, 32, 32, 64, 64],
  strings: [8, 16, 32, 64],
  vectors: XMM,
} as const;

const PROTECTED = {
  width: 32,
  free: [0, 1, 2, 6, 7],
  bytes: [0, 1, 2],
  pointers: [6],
  counters: [5, 3],
  sizes: [8, 16, 32, 32],
  strings: [8, 16, 32],
  vectors: XMM.slice(0, 8),
} as const;

/** By name, for reports and seeds. */
export const PROGRAM_MODES: readonly ProgramMode[] = [
  { name: "64-bit supervisor", user: false, ...LONG },
  { name: "64-bit user", user: true, ...LONG },
  { name: "32-bit supervisor", user: false, ...PROTECTED },
  { name: "32-bit user", user: true, ...PROTECTED },
];

/** Interrupts by which a user program has done what is not allowed to it. */
export const SERVICE = {
  /** INVLPG of the address in the accumulator. */
  INVLPG: 0x42,
  /** CR3 is written with what it holds. */
  FLUSH: 0x43,
} as const;

/** A register of the mode's width by its code. */
export function wordRegister(mode: ProgramMode, code: number): Gpr {
  return GPRS[mode.width][code];
}

/** A word in memory at a register. */
export function wordAt(mode: ProgramMode, base: Gpr, disp = 0): Memory {
  return memory(mode.width, { base, disp });
}
