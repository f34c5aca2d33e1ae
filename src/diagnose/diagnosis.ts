/** What is known of a machine that somebody asks about. Plain data that JSON can hold: addresses are texts. */
import type { AccessCount } from "./place/accesses.js";
import type { Loop } from "./place/polls.js";
import type { FoundBy } from "./place/backtrace.js";

/** A place in code. */
export interface CodePlace {
  /** Linear, "0xffffffff81000000". */
  address: string;
  /** "do_idle+0x1a"; absent where no symbol is near. */
  symbol?: string;
}

/** What a CPU is doing. */
export type CpuActivity = "executing" | "sleeping" | "halted for ever" | "never started" | "shut down";

/** Where one CPU is. */
export interface CpuReport {
  cpu: number;
  activity: CpuActivity;
  mode: "64-bit" | "32-bit" | "16-bit" | "real mode";
  /** 0 is the kernel's. */
  privilege: number;
  interrupts: "on" | "off";
  at: CodePlace;
  callers: CodePlace[];
  /** How the callers were found; "a scan of the stack" may find strangers. */
  callersBy?: FoundBy;
  code: { address: string; text: string; next?: true }[];
  /** Where it was found while it was watched, most often first. */
  samples: { place: CodePlace; times: number }[];
  /** The few instructions that it was in whenever it was looked at. */
  loop?: Loop;
  /** Vectors that wait, and that are being served. */
  pending: number[];
  inService: number[];
  /** What its APIC timer does. */
  timer: string;
  /** Where exceptions are delivered by, and what is wrong with it; of a CPU that shut down only. */
  interruptTable?: { base: string; limit: string; problem: string };
  /** CR2: of a CPU that shut down only. */
  faultAddress?: string;
}

/** An interrupt of a device. */
export interface InputReport {
  /** "8259 input 4", "I/O APIC pin 4". */
  input: string;
  state: string;
}

/** The end of a kernel's log. */
export interface LogReport {
  kind: string;
  /** Lines in all, and the last of them. */
  count: number;
  last: string[];
}

/** Why it does not go on, as far as one can tell. */
export interface Cause {
  /** A name that stays. */
  id: string;
  /** One sentence. */
  sentence: string;
  /** What shows it, a line each. */
  evidence: string[];
  /** What to do; "--append …" where it is a flag of ours. */
  remedy: string[];
}

export interface Diagnosis {
  /** The first is the one that counts; none: nothing is known to be wrong. */
  causes: Cause[];
  /** What the kernel says that it is. */
  kernel?: string;
  commandLine: string;
  cpus: CpuReport[];
  /** Inputs that are raised, pending or served. */
  inputs: InputReport[];
  /** What was asked of devices while it was watched, most often first. */
  accesses: AccessCount[];
  log?: LogReport;
  /** What the console has shown. */
  console: { bytes: number; lastLine: string };
  /** Where symbols came from; absent: there are none. */
  symbols?: string;
  /** Instructions executed while it was watched. */
  watched: number;
  /** Instructions since power-on, of all CPUs. */
  executed: number;
}
