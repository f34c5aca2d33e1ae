/**
 * The state of one local APIC as plain data, and the 256-bit vector sets in it. Knows no clock and no other
 * device. Specification: Intel SDM vol. 3A, chapter 11; §11.4.7 for the states after reset and INIT.
 */
import { APIC_BASE, DELIVERY, DFR, LAPIC_RESET_BASE, LVT } from "../../spec/apic.js";

/** 256 bits as 8 words, the lowest vectors first. */
export type VectorSet = number[];

const WORD_BITS = 32;
const WORDS = 8;

export interface LapicTimerState {
  /** Initial-count register. */
  initial: number;
  /** Divide configuration register. */
  divide: number;
  /** The count-down runs (one-shot and periodic). */
  running: boolean;
  /** Length of the count-down that began at `start`, in divided ticks; later ones have `initial`. */
  count: number;
  /** Undivided tick of the timer's clock. */
  start: number;
  /** Up to which undivided tick expiries are delivered. */
  delivered: number;
  /** IA32_TSC_DEADLINE in two halves; zero is disarmed. */
  deadlineLow: number;
  deadlineHigh: number;
}

export interface LapicLvtState {
  timer: number;
  thermal: number;
  performance: number;
  lint0: number;
  lint1: number;
  error: number;
}

/** What INIT and a disable in IA32_APIC_BASE reset. */
export interface LapicRegisters {
  taskPriority: number;
  logicalDestination: number;
  destinationFormat: number;
  spurious: number;
  inService: VectorSet;
  triggerMode: VectorSet;
  request: VectorSet;
  /** ESR as software reads it, and what has gathered since it was written. */
  errorStatus: number;
  errors: number;
  commandLow: number;
  commandHigh: number;
  lvt: LapicLvtState;
  timer: LapicTimerState;
  /** An ExtINT message from an I/O APIC waits. */
  extIntLatched: boolean;
}

export interface LapicState {
  /** APIC id that hardware gave; also the x2APIC id. */
  id: number;
  /** The xAPIC id register, which software may write (table 11-1). INIT keeps it (§11.4.7.3). */
  xapicId: number;
  /** IA32_APIC_BASE: the address, and the flag bits BSP, EXTD and EN. */
  baseAddress: number;
  baseFlags: number;
  /** Levels of the two interrupt pins. */
  lint0Level: boolean;
  lint1Level: boolean;
  registers: LapicRegisters;
}

function emptySet(): VectorSet {
  return new Array<number>(WORDS).fill(0);
}

/** The registers after power-on, reset or INIT (§11.4.7.1). */
export function initialLapicRegisters(): LapicRegisters {
  const lvt = LVT.masked;
  return {
    taskPriority: 0,
    logicalDestination: 0,
    destinationFormat: DFR.flat,
    spurious: 0xff,
    inService: emptySet(),
    triggerMode: emptySet(),
    request: emptySet(),
    errorStatus: 0,
    errors: 0,
    commandLow: 0,
    commandHigh: 0,
    lvt: { timer: lvt, thermal: lvt, performance: lvt, lint0: lvt, lint1: lvt, error: lvt },
    timer: {
      initial: 0,
      divide: 0,
      running: false,
      count: 0,
      start: 0,
      delivered: 0,
      deadlineLow: 0,
      deadlineHigh: 0,
    },
    extIntLatched: false,
  };
}

/**
 * A local APIC after reset. With `virtualWire` its pins pass the 8259's interrupts and NMIs through, as firmware
 * leaves the boot CPU's (MP specification 1.4 §3.6.2.2): without firmware nobody else would do it.
 */
export function initialLapicState(id: number, options: { bsp: boolean; virtualWire: boolean }): LapicState {
  const registers = initialLapicRegisters();
  if (options.virtualWire) {
    registers.lvt.lint0 = DELIVERY.extInt << LVT.modeShift;
    registers.lvt.lint1 = DELIVERY.nmi << LVT.modeShift;
  }
  return {
    id,
    xapicId: id,
    baseAddress: LAPIC_RESET_BASE,
    baseFlags: APIC_BASE.enable | (options.bsp ? APIC_BASE.bsp : 0),
    lint0Level: false,
    lint1Level: false,
    registers,
  };
}

/** Whether a vector, 0–255, is in the set. */
export function hasVector(set: VectorSet, vector: number): boolean {
  return (set[vector >> 5] & (1 << (vector & 31))) !== 0;
}

/** Adds a vector, 0–255, to the set or takes it out. */
export function putVector(set: VectorSet, vector: number, present: boolean): void {
  const bit = 1 << (vector & 31);
  const word = set[vector >> 5];
  set[vector >> 5] = (present ? word | bit : word & ~bit) >>> 0;
}

/** The highest vector of the set, or -1. */
export function highestVector(set: VectorSet): number {
  for (let word = WORDS - 1; word >= 0; word--) {
    if (set[word] !== 0) return word * WORD_BITS + (WORD_BITS - 1 - Math.clz32(set[word]));
  }
  return -1;
}
