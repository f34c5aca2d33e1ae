/**
 * The lines of memory that MONITOR has armed. A page with one gets no fast write tags in other CPUs' TLBs, so that every
 * write to it is seen; devices' writes come here anyway. With one CPU no tag is taken away: it cannot wake itself.
 * Knows no instruction.
 *
 * Specification: Intel SDM vol. 3A §9.10.4 (MONITOR and MWAIT), §9.10.5 (the range that is watched).
 */
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";

export class MonitoredLines {
  /** RAM offset of each armed CPU's line. */
  private readonly lines = new Map<CpuContext, number>();

  private readonly words: Uint32Array;

  /**
   * `addressOf` gives the guest-physical address of a RAM offset; `reached` hears of a write to the line of a CPU, which is not
   * armed any more.
   */
  constructor(
    memory: WebAssembly.Memory,
    private readonly addressOf: (ramOffset: number) => number,
    private readonly cpus: () => Iterable<CpuContext>,
    private readonly reached: (cpu: CpuContext) => void,
  ) {
    this.words = new Uint32Array(memory.buffer);
  }

  /** Tells generated code, which leaves writes to pages that may be watched while there are any. */
  private count(): void {
    this.words[layout.MONITORED_LINES >>> 2] = this.lines.size;
  }

  /** Watches the line around a RAM offset for a CPU, in place of any other. */
  arm(cpu: CpuContext, ramOffset: number): void {
    this.lines.set(cpu, ramOffset & ~(layout.MONITOR_LINE - 1));
    this.count();
    const page = ramOffset & ~(layout.PAGE_SIZE - 1);
    for (const other of this.cpus()) {
      if (other !== cpu) other.tlb.stripWriteTags((other.services.ramBase + page) >>> 0);
    }
  }

  disarm(cpu: CpuContext): void {
    this.lines.delete(cpu);
    this.count();
  }

  isArmed(cpu: CpuContext): boolean {
    return this.lines.has(cpu);
  }

  /** Guest-physical address of a CPU's line, or -1. */
  armedAt(cpu: CpuContext): number {
    const line = this.lines.get(cpu);
    return line === undefined ? -1 : this.addressOf(line);
  }

  /** Whether the page of a RAM offset has a line that is watched. */
  watchesPage(ramOffset: number): boolean {
    for (const line of this.lines.values()) if ((line ^ ramOffset) >>> layout.PAGE_SHIFT === 0) return true;
    return false;
  }

  /** Bytes `[ramOffset, +length)` change. */
  changed(ramOffset: number, length: number): void {
    for (const [cpu, line] of this.lines) {
      if (ramOffset >= line + layout.MONITOR_LINE || line >= ramOffset + length) continue;
      this.lines.delete(cpu);
      this.count();
      this.reached(cpu);
    }
  }
}
