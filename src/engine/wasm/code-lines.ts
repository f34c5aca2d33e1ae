/** The map of 64-byte lines of RAM that hold decoded instructions, one bit each: what writes are checked against. */
import * as layout from "../x86/layout.js";
import type { Extent } from "./blocks.js";

/** Bytes of the map for a page. */
const PAGE_BYTES = 8;

export class CodeLines {
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;

  constructor(memory: WebAssembly.Memory) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
  }

  /** Marks the lines that an extent touches. */
  mark({ page, start, end }: Extent): void {
    const base = layout.CODE_LINES + page * PAGE_BYTES;
    for (let line = start >>> layout.CODE_LINE_SHIFT; line <= (end - 1) >>> layout.CODE_LINE_SHIFT; line++) {
      this.bytes[base + (line >>> 3)] |= 1 << (line & 7);
    }
  }

  /** Forgets a page. */
  clear(page: number): void {
    const base = layout.CODE_LINES + page * PAGE_BYTES;
    this.bytes.fill(0, base, base + PAGE_BYTES);
  }

  /** Whether any line of a page is marked. */
  inPage(page: number): boolean {
    const word = (layout.CODE_LINES + page * PAGE_BYTES) >>> 2;
    return (this.words[word] | this.words[word + 1]) !== 0;
  }

  /** Whether a line of a page that touches the bytes `start` to `end` is marked. */
  between(page: number, start: number, end: number): boolean {
    const base = layout.CODE_LINES + page * PAGE_BYTES;
    for (let line = start >>> layout.CODE_LINE_SHIFT; line <= (end - 1) >>> layout.CODE_LINE_SHIFT; line++) {
      if (this.bytes[base + (line >>> 3)] & (1 << (line & 7))) return true;
    }
    return false;
  }

  /** Marks lines of pages that have no marks yet; every `stride` words begin with a page's number and both words of its marks. */
  restore(pages: Uint32Array, stride: number): void {
    for (let i = 0; i < pages.length; i += stride) {
      const word = (layout.CODE_LINES + pages[i] * PAGE_BYTES) >>> 2;
      this.words[word] = pages[i + 1];
      this.words[word + 1] = pages[i + 2];
    }
  }
}
