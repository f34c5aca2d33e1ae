/**
 * Which pages the interpreter writes while it does again what a region did: their write tags are hidden from the TLB,
 * so that the first write to each page comes here, where the page is copied and the tag given back. Changes nothing
 * that a guest can see.
 */
import { INFO_ACCESS, INFO_ACCESS_SHIFT, INFO_SIZE } from "../x86/call-info.js";
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import { READ } from "../x86/system/access.js";
import { WORD_PAGE_TAG } from "../x86/system/tlb-book.js";

const OFFSET_MASK = layout.PAGE_SIZE - 1;
const ENTRY_WORDS = layout.TLB_ENTRY_SIZE >>> 2;
const WRITE_TAG_WORD = layout.TLB_WRITE_TAG >>> 2;
const ADDEND_WORD = layout.TLB_ADDEND >>> 2;

/** A page of RAM as it was before the first write to it. */
export interface PageCopy {
  readonly host: number;
  readonly bytes: Uint8Array;
}

export class FirstWrites {
  private readonly tags = new Uint32Array(layout.TLB_ENTRIES * 2);
  /** What else identifies the entries that tags were taken from: page and addend. */
  private readonly marks = new Uint32Array(layout.TLB_ENTRIES * 2);
  private cpu: CpuContext | undefined;
  /** Word index of the TLB that is in use. */
  private tlb = 0;
  private pages = new Map<number, PageCopy>();

  /** Hides the write tags of a CPU's current TLB. */
  begin(cpu: CpuContext): void {
    this.cpu = cpu;
    this.tlb = cpu.get32(layout.TLB_CURRENT) >>> 2;
    this.pages.clear();
    const { u32 } = cpu;
    for (let i = 0, at = this.tlb + WRITE_TAG_WORD; i < layout.TLB_ENTRIES; i++, at += ENTRY_WORDS) {
      this.tags[i * 2] = u32[at];
      this.tags[i * 2 + 1] = u32[at + 1];
      this.marks[i * 2] = u32[at - WRITE_TAG_WORD + WORD_PAGE_TAG];
      this.marks[i * 2 + 1] = u32[at - WRITE_TAG_WORD + ADDEND_WORD];
      u32[at] = layout.TLB_EMPTY;
      u32[at + 1] = 0;
    }
  }

  /** Host address of an access at MAIL_ADDRESS that only misses because its tag is hidden, otherwise 0. */
  answer(info: number): number {
    const { cpu } = this;
    if (!cpu || ((info >>> INFO_ACCESS_SHIFT) & INFO_ACCESS) === READ) return 0;
    const low = cpu.low(layout.MAIL_ADDRESS);
    const page = (low & ~OFFSET_MASK) >>> 0;
    const number = page >>> layout.PAGE_SHIFT;
    const index = (number ^ (number >>> layout.TLB_INDEX_BITS)) & (layout.TLB_ENTRIES - 1);
    if (this.tags[index * 2] !== page || this.tags[index * 2 + 1] !== cpu.upper(layout.MAIL_ADDRESS))
      return 0;
    if ((low & OFFSET_MASK) + (info & INFO_SIZE) > layout.PAGE_SIZE || !this.giveBack(cpu, index)) return 0;
    const host = this.host(index);
    if (!this.pages.has(host)) {
      this.pages.set(host, { host, bytes: cpu.u8.slice(host, host + layout.PAGE_SIZE) });
    }
    return host + (low & OFFSET_MASK);
  }

  /** Gives back what is still hidden; the pages that were written, as they were before. */
  end(): readonly PageCopy[] {
    const { cpu } = this;
    if (!cpu) return [];
    for (let i = 0; i < layout.TLB_ENTRIES; i++) {
      if (this.tags[i * 2] !== layout.TLB_EMPTY) this.giveBack(cpu, i);
    }
    this.cpu = undefined;
    return [...this.pages.values()];
  }

  /** False where the entry is another's by now, or code was decoded from its page. */
  private giveBack(cpu: CpuContext, index: number): boolean {
    const entry = this.tlb + index * ENTRY_WORDS;
    const { u32 } = cpu;
    if (u32[entry + WORD_PAGE_TAG] !== this.marks[index * 2]) return false;
    if (u32[entry + ADDEND_WORD] !== this.marks[index * 2 + 1]) return false;
    if (cpu.services.code.pageHoldsCode(this.host(index) - cpu.services.ramBase)) return false;
    u32[entry + WRITE_TAG_WORD] = this.tags[index * 2];
    u32[entry + WRITE_TAG_WORD + 1] = this.tags[index * 2 + 1];
    return true;
  }

  private host(index: number): number {
    return (this.tags[index * 2] + this.marks[index * 2 + 1]) >>> 0;
  }
}
