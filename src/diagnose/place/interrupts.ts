/** Interrupts and timers as the parts of a board have them in what they save. */
import type { I8259ChipState, I8259State } from "../../devices/interrupts/i8259.js";
import type { IoapicState } from "../../devices/interrupts/ioapic.js";
import type { LapicState, VectorSet } from "../../devices/interrupts/lapic-state.js";
import type { I8254State } from "../../devices/time/i8254.js";
import { LVT, REDIRECTION } from "../../spec/apic.js";
import type { CpuReport, InputReport } from "../diagnosis.js";

/** Parts' states by the parts' names. */
type States = Record<string, object>;

const WORD_BITS = 32;
const CHIP_INPUTS = 8;
const TIMER_MODE_SHIFT = 17;
const TIMER_MODES = ["once", "periodic", "at a TSC deadline"] as const;
const VECTOR = 0xff;

function numbersIn(set: VectorSet): number[] {
  return set.flatMap((word, i) =>
    Array.from({ length: WORD_BITS }, (_, bit) => i * WORD_BITS + bit).filter(
      (vector) => (word >>> (vector % WORD_BITS)) & 1,
    ),
  );
}

/** What the local APIC of a CPU holds. */
export function apicReport(states: States, cpu: number): Pick<CpuReport, "pending" | "inService" | "timer"> {
  const { cpus = [] } = (states["lapic"] ?? {}) as { cpus?: LapicState[] };
  const registers = cpus[cpu]?.registers;
  if (registers === undefined) return { pending: [], inService: [], timer: "none" };
  return {
    pending: numbersIn(registers.request),
    inService: numbersIn(registers.inService),
    timer: timerText(registers),
  };
}

function timerText({ lvt, timer }: LapicState["registers"]): string {
  const mode = TIMER_MODES[(lvt.timer >>> TIMER_MODE_SHIFT) & 3];
  const armed = mode === "at a TSC deadline" ? (timer.deadlineLow | timer.deadlineHigh) !== 0 : timer.running;
  if ((lvt.timer & LVT.masked) !== 0) return "masked";
  return armed ? `armed, ${mode}, vector ${lvt.timer & VECTOR}` : "not armed";
}

/** Inputs with something to tell: raised, pending, served. */
export function inputReports(states: States): InputReport[] {
  const reports: InputReport[] = [];
  const pair = states["i8259"] as I8259State | undefined;
  if (pair?.master !== undefined) reports.push(...chipReports(pair.master, 0), ...chipReports(pair.slave, 8));
  const { pins = [] } = (states["ioapic"] ?? {}) as Partial<IoapicState>;
  pins.forEach(({ low, raised }, pin) => {
    const waits = (low & REDIRECTION.remoteIrr) !== 0;
    const masked = (low & REDIRECTION.masked) !== 0;
    if (!raised && !waits) return;
    const words = [raised && "raised", waits && "not acknowledged", masked && "masked"];
    reports.push({ input: `I/O APIC pin ${pin}`, state: words.filter(Boolean).join(", ") });
  });
  return reports;
}

/** The 8254's input of the first 8259, and the pins of the I/O APIC that it is wired to or told of. */
const TIMER_INPUT = 1;
const TIMER_PINS = [0, 2];

/** Whether an 8254, where there is one, counts, and a controller lets its interrupt through. */
export function timerTicks(states: States): boolean {
  const { timer } = (states["i8254"] ?? {}) as { timer?: I8254State };
  if (timer?.counters[0].running !== true) return false;
  const pair = states["i8259"] as I8259State | undefined;
  const { pins = [] } = (states["ioapic"] ?? {}) as Partial<IoapicState>;
  const open = TIMER_PINS.some((pin) => pin in pins && (pins[pin].low & REDIRECTION.masked) === 0);
  return open || (pair?.master !== undefined && (pair.master.imr & TIMER_INPUT) === 0);
}

function chipReports({ irr, isr, imr }: I8259ChipState, first: number): InputReport[] {
  return Array.from({ length: CHIP_INPUTS }, (_, i) => i).flatMap((i) => {
    const has = (set: number): boolean => ((set >> i) & 1) === 1;
    if (!has(irr) && !has(isr)) return [];
    const words = [has(irr) && "requested", has(isr) && "in service", has(imr) && "masked"];
    return [{ input: `8259 input ${first + i}`, state: words.filter(Boolean).join(", ") }];
  });
}
