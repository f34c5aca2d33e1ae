/**
 * What became of a guest, whoever ran it, and how that is compared with what the guest expects. Knows no engine.
 */
import type { Ending, ExpectedEvent, Guest } from "./guest.js";
import * as layout from "./layout.js";

export interface Outcome {
  ending: Ending | { kind: "other"; detail: string };
  /** Guest-physical memory at the end. */
  read(address: number, length: number): Uint8Array;
}

/** A guest that went astray may log without end: only the first surplus events are of interest. */
const SHOWN_EXTRA = 3;

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

function describe(ending: Outcome["ending"]): string {
  if (ending.kind === "exit") {
    const meaning = ending.code === layout.EXIT_UNEXPECTED ? " (an exception nobody expected)" : "";
    return `exit ${ending.code}${meaning}`;
  }
  if (ending.kind === "halt") return `halt, IF=${ending.interruptible ? 1 : 0}`;
  return ending.kind === "other" ? ending.detail : ending.kind;
}

interface LoggedEvent {
  vector: number;
  error: bigint;
  rip: bigint;
  cs: number;
  flags: bigint;
  rsp: bigint;
  ss: number;
  cr2: bigint;
}

function logged(outcome: Outcome): LoggedEvent[] {
  const word = (address: number): bigint => {
    const bytes = outcome.read(address, 8);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  };
  const count = Math.min(Number(word(layout.LOG)), 1000);
  return Array.from({ length: count }, (_, i) => {
    const at = layout.LOG_RECORDS + i * layout.LOG_RECORD_SIZE;
    return {
      vector: Number(word(at) & 0xffn),
      error: word(at + 8),
      rip: word(at + 16),
      cs: Number(word(at + 24) & 0xffffn),
      flags: word(at + 32),
      rsp: word(at + 40),
      ss: Number(word(at + 48) & 0xffffn),
      cr2: word(at + 56),
    };
  });
}

function show(e: LoggedEvent): string {
  const parts = Object.entries(e).map(([k, v]) => `${k}=${hex(v as bigint | number)}`);
  return parts.join(" ");
}

function eventDifferences(guest: Guest, want: ExpectedEvent, got: LoggedEvent): string[] {
  const wrong: string[] = [];
  const check = (what: string, expected: bigint | number | undefined, found: bigint | number): void => {
    if (expected !== undefined && BigInt(expected) !== BigInt(found)) {
      wrong.push(`${what} is ${hex(found)}, expected ${hex(expected)}`);
    }
  };
  check("vector", want.vector, got.vector);
  check("error code", want.error ?? 0, got.error);
  check("RIP", typeof want.rip === "string" ? guest.label(want.rip) : want.rip, got.rip);
  check("CS", want.cs, got.cs);
  check("SS", want.ss, got.ss);
  check("RSP", want.rsp, got.rsp);
  check("CR2", want.cr2, got.cr2);
  if (want.flagsSet !== undefined) check("RFLAGS bits set", want.flagsSet, got.flags & want.flagsSet);
  if (want.flagsClear !== undefined) check("RFLAGS bits clear", 0n, got.flags & want.flagsClear);
  return wrong;
}

/** Everything that differs from what the guest expects, one line each; empty when all is well. */
export function differences(guest: Guest, outcome: Outcome): string[] {
  const lines: string[] = [];
  const ended = describe(outcome.ending);
  const should = describe(guest.ending);
  if (ended !== should) lines.push(`ended by ${ended}, expected ${should}`);
  const events = logged(outcome);
  guest.events.forEach((want, i) => {
    const note = want.note === undefined ? "" : ` (${want.note})`;
    const got = events[i];
    if (!got) lines.push(`event ${i}${note}: vector ${want.vector} did not happen`);
    else
      for (const d of eventDifferences(guest, want, got)) lines.push(`event ${i}${note}: ${d}; ${show(got)}`);
  });
  const extra = events.slice(guest.events.length);
  for (const e of extra.slice(0, SHOWN_EXTRA)) lines.push(`unexpected event: ${show(e)}`);
  if (extra.length > SHOWN_EXTRA) lines.push(`and ${extra.length - SHOWN_EXTRA} more events`);
  for (const want of guest.memory) {
    const bytes = outcome.read(want.address, want.size);
    const found = bytes.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
    const all = (1n << BigInt(8 * want.size)) - 1n;
    const mask = (want.mask ?? all) & all;
    if ((found & mask) !== (want.value & mask)) {
      const under = mask === all ? "" : ` (under mask ${hex(mask)})`;
      lines.push(`${want.note}: found ${hex(found)}, expected ${hex(want.value & all)}${under}`);
    }
  }
  return lines;
}
