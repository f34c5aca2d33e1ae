/**
 * Which pages of RAM were written since a mark, for snapshots. A page that was not has no fast write tag in any CPU's TLB,
 * so that the first write to it passes `changed`, as one to decoded code does; devices' writes come here anyway. Without a mark
 * nothing is kept and nothing is slower.
 */
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";

export class WrittenPages {
  /** A byte a page: 0 is clean. Absent without a mark. */
  private pages: Uint8Array | undefined;
  private readonly words: Uint32Array;

  constructor(
    memory: WebAssembly.Memory,
    private readonly ramBytes: number,
    private readonly cpus: () => Iterable<CpuContext>,
  ) {
    this.words = new Uint32Array(memory.buffer);
  }

  /** From now on every page is clean until it is written. */
  mark(): void {
    if (this.pages) this.pages.fill(0);
    else this.pages = new Uint8Array(this.ramBytes / layout.PAGE_SIZE);
    this.words[layout.TRACKED_PAGES >>> 2] = 1;
    for (const cpu of this.cpus()) cpu.tlb.stripAllWriteTags();
  }

  /** Forgets the mark: fast write tags come back by themselves. */
  unmark(): void {
    this.pages = undefined;
    this.words[layout.TRACKED_PAGES >>> 2] = 0;
  }

  /** Whether the page of a RAM offset was not written since the mark. */
  isClean(ramOffset: number): boolean {
    return this.pages !== undefined && this.pages[ramOffset >>> layout.PAGE_SHIFT] === 0;
  }

  /** Bytes `[ramOffset, +length)` are about to change. */
  changed(ramOffset: number, length: number): void {
    if (this.pages === undefined || length <= 0) return;
    const last = (ramOffset + length - 1) >>> layout.PAGE_SHIFT;
    this.pages.fill(1, ramOffset >>> layout.PAGE_SHIFT, last + 1);
  }

  /** RAM offsets of the pages that were written since the mark, ascending; undefined without one. */
  list(): number[] | undefined {
    if (this.pages === undefined) return undefined;
    const found: number[] = [];
    for (let page = this.pages.indexOf(1); page >= 0; page = this.pages.indexOf(1, page + 1))
      found.push(page * layout.PAGE_SIZE);
    return found;
  }
}
