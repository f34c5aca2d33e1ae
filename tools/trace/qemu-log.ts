/**
 * Turns QEMU's log (`-d exec,cpu,int,nochain` with one instruction a block) into a stream of entries: the state
 * before each instruction, and the exceptions and interrupts that came in between.
 *
 * Specification: QEMU accel/tcg/cpu-exec.c (log_cpu_exec), target/i386/tcg/sysemu/seg_helper.c ("Servicing
 * hardware INT"), target/i386/tcg/seg_helper.c ("v=… e=… i=…").
 */
import { parseRegisters } from "./qemu-dump.js";
import type { Registers } from "./qemu-dump.js";

export interface TraceEvent {
  kind: "hardware" | "software" | "fault";
  vector: number;
  /** State right before the delivery. */
  at?: Registers;
}

export interface TraceEntry {
  registers: Registers;
  /** What happened between the entry before and this one. */
  events: TraceEvent[];
}

const REGISTER_LINES = 5;

/** Splits text into entries, across chunk boundaries. */
export class LogParser {
  private rest = "";
  private events: TraceEvent[] = [];
  private hardware: number | undefined;
  private dump: string[] | undefined;
  private eventWaits = false;

  /** Entries that are complete with this piece of text. */
  feed(text: string): TraceEntry[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    const entries: TraceEntry[] = [];
    for (const line of lines) {
      const entry = this.line(line);
      if (entry) entries.push(entry);
    }
    return entries;
  }

  private line(line: string): TraceEntry | undefined {
    if (this.dump) {
      this.dump.push(line);
      // 64-bit registers take four lines before RIP, 32-bit ones two.
      const enough = this.dump[0].startsWith("RAX") ? REGISTER_LINES : REGISTER_LINES - 2;
      if (this.dump.length < enough) return undefined;
      const registers = parseRegisters(this.dump.join("\n"));
      this.dump = undefined;
      return this.complete(registers);
    }
    if (line.startsWith("Trace ")) this.dump = [];
    else if (line.startsWith("Servicing hardware INT=")) this.hardware = parseInt(line.slice(25), 16);
    else this.event(line);
    return undefined;
  }

  /** A whole dump: of an event that waits for its state, or of an instruction. */
  private complete(registers: Registers): TraceEntry | undefined {
    if (this.eventWaits) {
      this.events[this.events.length - 1].at = registers;
      this.eventWaits = false;
      return undefined;
    }
    const entry = { registers, events: this.events };
    this.events = [];
    return entry;
  }

  private event(line: string): void {
    const found = /^ *\d+: v=([0-9a-f]+) e=[0-9a-f]+ i=(\d)/.exec(line);
    if (!found) return;
    const vector = parseInt(found[1], 16);
    const kind = this.hardware === vector ? "hardware" : found[2] === "1" ? "software" : "fault";
    this.hardware = undefined;
    this.events.push({ kind, vector });
    this.eventWaits = true;
    this.dump = [];
  }
}
