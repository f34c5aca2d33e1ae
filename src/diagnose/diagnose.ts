/**
 * Looks at a machine and says where it is, what it waits for and why: CPUs, interrupts, what it asks of devices, the kernel's own
 * log. The machine may live or have ended; one that lives is watched for a moment, which it spends as it would have anyway.
 */
import { isSerialConsole } from "./console-place.js";
import { hex } from "../bytes/hex.js";
import type { MachineEnd } from "../machine/end.js";
import type { Machine } from "../machine/machine.js";
import { causesOf } from "./causes/index.js";
import { TIMER_WAITS } from "./causes/machine-causes.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { ConsoleTail } from "./console-tail.js";
import type { CodePlace, CpuReport, Diagnosis } from "./diagnosis.js";
import { logLineText, type KernelLog } from "./log/kernel-log.js";
import { readLinuxLog } from "./log/linux-log.js";
import { readMsgbuf } from "./log/msgbuf.js";
import { addressSpace, readLinear } from "./page-tables.js";
import { AccessCounts } from "./place/accesses.js";
import { backtrace } from "./place/backtrace.js";
import { codeAround, codeSize, linearRip, type Read } from "./place/code.js";
import { loopOf } from "./place/polls.js";
import { apicReport, inputReports, timerTicks } from "./place/interrupts.js";
import { findLinuxKernel, type LinuxKernel } from "./symbols/linux-kernel.js";
import { slideOf } from "./symbols/symbol-files.js";
import { placeText, type SymbolTable } from "./symbols/symbol-table.js";

/** What is asked. */
export interface Question {
  /** Why the machine ended, if it did. */
  end?: MachineEnd;
  /** What its console showed. */
  console?: ConsoleTail;
  /** The kernel's symbols as its file has them, where somebody has it; they come before those in its memory. */
  symbols?: SymbolTable;
  /** Whether it may be watched, which executes a little more of it. Absent: as long as it lives. */
  watch?: boolean;
  /** How often it was reset. */
  resets?: number;
}

/** Slices in which a machine is watched, and instructions of each; together some ten milliseconds. */
const SLICES = 64;
const SLICE_INSTRUCTIONS = 20_011;
const MOST_SAMPLES = 8;
const LAST_LINES = 25;
const PRIVILEGE = 3;
const FLAG_IF = 1n << 9n;
const CR0_PE = 1n;

/** Says all that can be found out. Throws nothing because of what the guest has in its memory. */
export function diagnose(machine: Machine, question: Question = {}): Diagnosis {
  const counts = new AccessCounts(machine.plan.devices);
  const samples = machine.plan.devices.length === 0 ? [] : watch(machine, question, counts);
  const { memory, plan } = machine;
  const ids = Array.from({ length: plan.cpus }, (_, id) => id);
  const spaces = ids.map((id) => addressSpace(machine.cpuState(id)));
  const kernel = findLinuxKernel(memory, spaces);
  const { symbols: given } = question;
  const symbols = given?.slid(slideOf(given, kernel?.symbols, machine.cpuState(0))) ?? kernel?.symbols;
  const log = kernel === undefined ? readMsgbuf(memory) : readLinuxLog(memory, kernel);
  const { console } = question;
  const report = (id: number, parts: Record<string, object>): CpuReport =>
    cpuReport(machine, id, { kernel, symbols, samples, parts });
  const timerWait = samples.length === 0 ? undefined : awaitTimer(machine, ids, (id) => report(id, {}));
  const parts = savedParts(machine);
  const found: Diagnosis = {
    causes: [],
    ...kernelText(kernel, log),
    commandLine: plan.commandLine,
    cpus: ids.map((id) => report(id, parts)),
    inputs: inputReports(parts),
    accesses: counts.places.slice(0, MOST_SAMPLES),
    ...(log && {
      log: { kind: log.kind, count: log.lines.length, last: log.lines.slice(-LAST_LINES).map(logLineText) },
    }),
    console: { bytes: console?.bytes ?? 0, lastLine: console?.lastLine ?? "" },
    ...(symbols && { symbols: symbols.source }),
    executed: machine.instructions,
    watched: samples.reduce((sum, { instructions }) => sum + instructions, 0),
  };
  found.causes = causesOf({
    found,
    plan,
    end: question.end,
    resets: question.resets ?? 0,
    lines: log?.lines.map(({ text }) => text) ?? [],
    console: console?.text ?? "",
    serialConsole: isSerialConsole(plan),
    timerTicks: timerTicks(parts),
    timerWait,
    alive: machine.end === undefined,
  });
  return found;
}

/** What the parts hold; nothing where one of somebody's own cannot say. */
function savedParts(machine: Machine): Record<string, object> {
  try {
    return machine.saveParts();
  } catch {
    return {};
  }
}

function kernelText(kernel: LinuxKernel | undefined, log: KernelLog | undefined): { kernel?: string } {
  const text =
    kernel?.banner ??
    log?.lines.find(({ text: line }) => /^(Linux version|FreeBSD |NetBSD )\S*\d/.test(line))?.text;
  return text === undefined ? {} : { kernel: text };
}

/** Where CPUs were after a slice. */
interface Sample {
  places: bigint[];
  instructions: number;
}

/** Lets the machine go on for a moment. */
function watch(machine: Machine, question: Question, counts: AccessCounts): Sample[] {
  if (question.watch === false || machine.end !== undefined) return [];
  const samples: Sample[] = [];
  machine.watchAccesses((access) => counts.take(access));
  try {
    for (let slice = 0; slice < SLICES; slice++) {
      const step = machine.step(SLICE_INSTRUCTIONS);
      if (step.state !== "ran") break;
      const places = Array.from({ length: machine.plan.cpus }, (_, id) => linearRip(machine.cpuState(id)));
      samples.push({ places, instructions: step.instructions });
    }
  } finally {
    machine.watchAccesses(undefined);
  }
  return samples;
}

/** Longer than a kernel waits for any timer that comes, ns on the machine's clock, and slices at most. */
const TIMER_PATIENCE_NS = 1e9;
const PATIENT_INSTRUCTIONS = 2e6;
const MOST_PATIENT_SLICES = 1000;

/** Lets a machine that waits for a timer go on until it does no longer, or has had time enough; says where it still waits. */
function awaitTimer(
  machine: Machine,
  ids: readonly number[],
  report: (id: number) => CpuReport,
): string | undefined {
  const waits = (): string | undefined =>
    ids
      .map(report)
      .flatMap(({ at, callers }) => [at, ...callers])
      .map(({ symbol = "" }) => TIMER_WAITS.exec(symbol)?.[0])
      .find((name) => name !== undefined);
  const first = waits();
  const until = machine.now() + TIMER_PATIENCE_NS;
  for (let slices = 0; first !== undefined && machine.now() < until; slices++) {
    if (slices >= MOST_PATIENT_SLICES || machine.step(PATIENT_INSTRUCTIONS).state !== "ran") break;
    if (waits() !== first) return undefined;
  }
  return first;
}

interface Known {
  kernel: LinuxKernel | undefined;
  symbols: SymbolTable | undefined;
  samples: readonly Sample[];
  parts: Record<string, object>;
}

function cpuReport(machine: Machine, id: number, { kernel, symbols, samples, parts }: Known): CpuReport {
  const state = machine.cpuState(id);
  const space = addressSpace(state);
  const own: Read = (linear, length) => readLinear(machine.memory, space, linear, length);
  const read: Read = (linear, length) => own(linear, length) ?? kernel?.read(linear, length);
  const size = codeSize(state);
  const rip = linearRip(state);
  const status = machine.cpuStatus(id);
  const place = (address: bigint): CodePlace => placeOf(address, symbols, kernel);
  const symbol = symbols?.at(rip);
  const real = (state.cr0 & CR0_PE) === 0n;
  const word = size === 8 ? 8 : 4;
  const privilege = real ? 0 : (state.ss.access >> 5) & PRIVILEGE;
  const loop = loopOf(
    samples.map(({ places }) => places[id]),
    { state, size, read },
  );
  const isCode = (address: bigint): boolean => isKernelCode(address, symbols);
  const trace =
    privilege === 0 && symbols !== undefined && status !== "waiting"
      ? backtrace({ rsp: state.gpr[4], rbp: state.gpr[5], rip, word }, { read, isCode, symbols })
      : undefined;
  return {
    cpu: id,
    activity: state.shutdown !== undefined ? "shut down" : ACTIVITIES[status],
    mode: real ? "real mode" : size === 8 ? "64-bit" : size === 4 ? "32-bit" : "16-bit",
    privilege,
    interrupts: (state.rflags & FLAG_IF) === 0n ? "off" : "on",
    at: place(rip),
    callers: trace?.frames.map(place) ?? [],
    ...(trace && trace.frames.length > 0 && { callersBy: trace.by }),
    code:
      status === "waiting"
        ? []
        : codeAround(read, rip, size, symbol && rip - BigInt(symbol.offset)).map(({ address, text }) => ({
            address: hex(address),
            text,
            ...(address === rip && { next: true as const }),
          })),
    samples: countPlaces(samples.map(({ places }) => places[id])).map(({ address, times }) => ({
      place: place(address),
      times,
    })),
    ...(loop && status === "ready" && { loop }),
    ...apicReport(parts, id),
    ...(state.shutdown !== undefined && shutdownFacts(state, read, size)),
  };
}

const GATE_BYTES = { 2: 4, 4: 8, 8: 16 } as const;
const PRESENT_BYTE = 5;
const PRESENT = 0x80;

/** What a CPU would have delivered its last exceptions by. */
function shutdownFacts(
  { idtr, cr2 }: CpuState,
  read: Read,
  size: 2 | 4 | 8,
): Pick<CpuReport, "interruptTable" | "faultAddress"> {
  const bytes = GATE_BYTES[size];
  const vector = 8;
  const gate = read(idtr.base + BigInt(vector * bytes), bytes);
  const problem =
    idtr.limit < vector * bytes
      ? "has no entry for it"
      : gate === undefined
        ? "is not mapped"
        : size !== 2 && (gate[PRESENT_BYTE] & PRESENT) === 0
          ? "has no present entry for the double fault"
          : "leads to a handler that faults itself";
  return {
    interruptTable: { base: hex(idtr.base), limit: hex(idtr.limit), problem },
    faultAddress: hex(cr2),
  };
}

const ACTIVITIES = {
  ready: "executing",
  sleeping: "sleeping",
  halted: "halted for ever",
  waiting: "never started",
} as const;

function placeOf(
  address: bigint,
  symbols: SymbolTable | undefined,
  kernel: LinuxKernel | undefined,
): CodePlace {
  // A kernel runs at physical addresses until it has page tables.
  const moved = kernel?.delta === undefined ? address : address + kernel.delta;
  const found = symbols?.at(address) ?? (address < 1n << 32n ? symbols?.at(moved) : undefined);
  return { address: hex(address), ...(found && { symbol: placeText(found) }) };
}

/** Where kernels' code begins and ends: Linux', what it needs at first only, FreeBSD's, NetBSD's. */
const CODE_RANGES = [
  ["_stext", "_etext"],
  ["_sinittext", "_einittext"],
  ["btext", "etext"],
  ["kernel_text", "etext"],
] as const;

function isKernelCode(address: bigint, symbols: SymbolTable | undefined): boolean {
  if (symbols === undefined) return false;
  return CODE_RANGES.some(([first, last]) => {
    const [from, to] = [symbols.find(first), symbols.find(last)];
    return from !== undefined && to !== undefined && address >= from && address < to;
  });
}

function countPlaces(places: readonly bigint[]): { address: bigint; times: number }[] {
  const times = new Map<bigint, number>();
  for (const place of places) times.set(place, (times.get(place) ?? 0) + 1);
  return [...times]
    .map(([address, count]) => ({ address, times: count }))
    .sort((a, b) => b.times - a.times)
    .slice(0, MOST_SAMPLES);
}
