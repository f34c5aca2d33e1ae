/**
 * The state of one local APIC as plain data, and the 256-bit vector sets in it. Knows no clock and no other
 * device. Specification: Intel SDM vol. 3A, chapter 11; §11.4.7 for the states after reset and INIT.
 */
import {
  bits,
  bool,
  list,
  natural,
  record,
  refine,
  u32,
  u8,
  whole,
  type Fault,
  type Shape,
} from "../../bytes/shape.js";
import {
  APIC_BASE,
  BROADCAST,
  DELIVERY,
  DFR,
  DIVIDE,
  ESR,
  FIRST_LEGAL_VECTOR,
  ICR,
  LAPIC_RESET_BASE,
  LVT,
  LVT_WRITABLE,
  SVR,
} from "../../spec/apic.js";

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

/** Vectors that an APIC can deliver. */
const vectorSetShape = refine(list(u32, WORDS), ([first]) =>
  first % 2 ** FIRST_LEGAL_VECTOR === 0
    ? undefined
    : { at: "[0]", found: `${first}`, expected: `no vector below ${FIRST_LEGAL_VECTOR}` },
);

/** A count-down that runs has a length, or its end would never be found. */
const timerShape = refine(
  record<LapicTimerState>({
    initial: u32,
    divide: bits(DIVIDE.writable),
    running: bool,
    count: u32,
    start: natural,
    delivered: natural,
    deadlineLow: u32,
    deadlineHigh: u32,
  }),
  ({ running, initial, count }) =>
    running && (initial === 0 || count === 0)
      ? { at: ".running", found: "true", expected: "false, as the count is 0" }
      : undefined,
);

const lvtShape = record<LapicLvtState>({
  timer: bits(LVT_WRITABLE.timer),
  thermal: bits(LVT_WRITABLE.monitor),
  performance: bits(LVT_WRITABLE.monitor),
  lint0: bits(LVT_WRITABLE.lint | LVT.remoteIrr),
  lint1: bits(LVT_WRITABLE.lint | LVT.remoteIrr),
  error: bits(LVT_WRITABLE.error),
});

const DESTINATION = (BROADCAST.xapic << ICR.destinationShift) >>> 0;
const ERRORS = ESR.sendIllegalVector | ESR.receiveIllegalVector | ESR.illegalRegister;

const registersShape = record<LapicRegisters>({
  taskPriority: u8,
  logicalDestination: bits(DESTINATION),
  destinationFormat: refine(u32, (format) =>
    (format | DFR.fixed) >>> 0 === format
      ? undefined
      : { found: `${format}`, expected: "ones in bits 27 to 0" },
  ),
  spurious: bits(SVR.writable),
  inService: vectorSetShape,
  triggerMode: vectorSetShape,
  request: vectorSetShape,
  errorStatus: bits(ERRORS),
  errors: bits(ERRORS),
  commandLow: bits(ICR.writable),
  commandHigh: u32,
  lvt: lvtShape,
  timer: timerShape,
  extIntLatched: bool,
});

/** The base after reset has so many bits, whatever CPUID says of addresses. */
const RESET_BASE_BITS = 32;

/** What the machine says of its APICs. */
export interface LapicLimits {
  readonly cpus: number;
  readonly x2apic: boolean;
  /** MAXPHYADDR, 36 to 52. */
  readonly physicalAddressBits: number;
}

/** The APICs of all CPUs, in the order of their ids. Only the boot CPU's LINT0 is wired to anything. */
export function lapicShape(limits: LapicLimits): Shape<{ cpus: LapicState[] }> {
  const addressEnd = 2 ** Math.max(RESET_BASE_BITS, limits.physicalAddressBits);
  const one = record<LapicState>({
    id: whole(0, limits.cpus - 1),
    xapicId: u8,
    baseAddress: whole(0, addressEnd - APIC_BASE.pageSize),
    baseFlags: bits(APIC_BASE.enable | APIC_BASE.bsp | (limits.x2apic ? APIC_BASE.x2apic : 0)),
    lint0Level: bool,
    lint1Level: bool,
    registers: registersShape,
  });
  return refine(record({ cpus: list(one, limits.cpus) }), ({ cpus }) => {
    for (const [index, { id, baseAddress, baseFlags, lint0Level, lint1Level }] of cpus.entries()) {
      const fault = (field: string, found: unknown, expected: string): Fault => ({
        at: `.cpus[${index}].${field}`,
        found: String(found),
        expected,
      });
      if (id !== index) return fault("id", id, `${index}`);
      if (baseAddress % APIC_BASE.pageSize !== 0) return fault("baseAddress", baseAddress, "a page");
      if (baseFlags & APIC_BASE.x2apic && !(baseFlags & APIC_BASE.enable))
        return fault("baseFlags", baseFlags, "EN with EXTD");
      if (lint0Level && index > 0) return fault("lint0Level", lint0Level, "false, as the pin is not wired");
      if (lint1Level) return fault("lint1Level", lint1Level, "false, as the pin is not wired");
    }
    return undefined;
  });
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
