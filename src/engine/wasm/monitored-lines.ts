/**
 * The lines of memory that MONITOR has armed. A page with one gets no fast write tags in other CPUs' TLBs, so that every
 * write to it is seen; devices' writes come here anyway. With one CPU no tag is taken away: it cannot wake itself.
 *
 * A CPU idles on the same page each time: the page stays watched until that CPU arms a line of another one, so that arming
 * again goes through nobody's TLB. Knows no instruction.
 *
 * Specification: Intel SDM vol. 3A §9.10.4 (MONITOR and MWAIT), §9.10.5 (the range that is watched).
 */
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";

export class MonitoredLines {
  /** RAM offset of each armed CPU's line. */
  private readonly lines = new Map<CpuContext, number>();
  /** Number of the RAM page that each CPU armed last, and how many CPUs watch such a page. */
  private readonly pages = new Map<CpuContext, number>();
  private readonly watchers = new Map<number, number>();

  private readonly bytes: Uint8Array;

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
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Watches the line around a RAM offset for a CPU, in place of any other. */
  arm(cpu: CpuContext, ramOffset: number): void {
    this.lines.set(cpu, ramOffset & ~(layout.MONITOR_LINE - 1));
    const page = ramOffset >>> layout.PAGE_SHIFT;
    if (this.pages.get(cpu) !== page && !this.isAlone()) this.watchPage(cpu, page);
  }

  disarm(cpu: CpuContext): void {
    this.lines.delete(cpu);
  }

  isArmed(cpu: CpuContext): boolean {
    return this.lines.has(cpu);
  }

  /** Guest-physical address of a CPU's line, or -1. */
  armedAt(cpu: CpuContext): number {
    const line = this.lines.get(cpu);
    return line === undefined ? -1 : this.addressOf(line);
  }

  /** Whether writes to the page of a RAM offset must be told. */
  watchesPage(ramOffset: number): boolean {
    return this.watchers.has(ramOffset >>> layout.PAGE_SHIFT);
  }

  /** Bytes `[ramOffset, +length)` change. */
  changed(ramOffset: number, length: number): void {
    if (this.lines.size === 0 || !(this.isAlone() || this.mayReach(ramOffset, length))) return;
    for (const [cpu, line] of this.lines) {
      if (ramOffset >= line + layout.MONITOR_LINE || line >= ramOffset + length) continue;
      this.disarm(cpu);
      this.reached(cpu);
    }
  }

  private mayReach(ramOffset: number, length: number): boolean {
    const [first, last] = [ramOffset >>> layout.PAGE_SHIFT, (ramOffset + length - 1) >>> layout.PAGE_SHIFT];
    return last > first || this.watchers.has(first);
  }

  private isAlone(): boolean {
    const all = this.cpus()[Symbol.iterator]();
    all.next();
    return all.next().done === true;
  }

  private watchPage(cpu: CpuContext, page: number): void {
    const before = this.pages.get(cpu);
    if (before !== undefined) this.count(before, -1);
    this.pages.set(cpu, page);
    this.count(page, 1);
    for (const other of this.cpus()) {
      if (other !== cpu) other.tlb.stripWriteTags((other.services.ramBase + page * layout.PAGE_SIZE) >>> 0);
    }
  }

  /** Notes that more or fewer CPUs watch a page; tells generated code, which leaves writes to such pages. */
  private count(page: number, more: number): void {
    const watchers = (this.watchers.get(page) ?? 0) + more;
    if (watchers === 0) this.watchers.delete(page);
    else this.watchers.set(page, watchers);
    this.bytes[layout.MONITORED_PAGES + (page & layout.MONITORED_PAGES_MASK)] += more;
  }
}
