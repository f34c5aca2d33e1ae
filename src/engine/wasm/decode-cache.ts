/**
 * The cache of decoded instructions: straight-line blocks of records in an arena, found by (RAM offset, mode). Exact
 * under self-modifying code: changing bytes of a block turns its records into ones that look themselves up again,
 * so a block may even change itself. Bounded: when the arena is full everything is dropped.
 *
 * Blocks go on behind conditional branches and calls. They end at other control flow, at a page's end, where an
 * already decoded instruction follows, or after `MAX_BLOCK` instructions. An instruction that crosses into the next
 * page is a block of its own, checked against that page's translation each time. Where CS ends, decoding ends with a
 * record that raises #GP(0): where that is, is part of the mode.
 */
import { MAX_INSTRUCTION_LENGTH } from "../../spec/x86-encoding.js";
import { CALLS, NEVER_CONTINUES } from "../x86/control-flow.js";
import type { CpuContext } from "../x86/cpu-context.js";
import { Decoder } from "../x86/decode.js";
import * as layout from "../x86/layout.js";
import { MODE_CODE64 } from "../x86/mode.js";
import * as rec from "../x86/record.js";
import type { InstructionSet } from "../x86/table/instruction-set.js";
import { FETCH_FAULTED, FETCH_ONES } from "../x86/system/calls.js";
import { Blocks, touches, type Block, type Extent } from "./blocks.js";
import { CodeLines } from "./code-lines.js";
import { PSEUDO } from "../x86/pseudo-operations.js";
import { packDecodedCode, PAGE_WORDS, type DecodedCode } from "./decoded-code.js";
import { RecordEncoder } from "./record-encoder.js";
import { DECODED, FLOW, STATE_AFTER_CALL, STATE_LOOKS, Templates, type DecodeQuickly } from "./templates.js";

const MAX_BLOCK = 64;
/**
 * Blocks kept of one page. Code that a compiler made has a few hundred; a guest that jumps to every byte in every
 * mode could make a write to the page arbitrarily slow.
 */
const MAX_BLOCKS_PER_PAGE = 2048;
/** What a fetch outside RAM finds. */
const ONES = new Uint8Array(MAX_INSTRUCTION_LENGTH).fill(0xff);
/** A limit that no offset is behind. */
const ENDLESS = 0xffffffff;
/** Bytes of code by the mode key's code size. */
const CODE_BYTES = [2, 4, 8];

/**
 * Translates the next page for an instruction that crosses: its RAM offset, `FETCH_ONES`, or `FETCH_FAULTED` after
 * delivering the fault.
 */
export type TranslateNextPage = (cpu: CpuContext, record: number) => number;

export interface CodePageEvents {
  /** A page of RAM that held no code now does: fast writes to it must end. */
  codePageAdded(ramPage: number): void;
  /** Blocks are about to be dropped: their records stop being instructions. */
  blocksDropped(blocks: readonly Block[]): void;
  /** Everything was dropped. */
  flushed(): void;
}

export class DecodeCache {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly decoder = new Decoder();
  private readonly encoder: RecordEncoder;
  private readonly templates: Templates;
  /** Decodes what there are templates of, where there is generated code for it. */
  decodeQuickly: DecodeQuickly | undefined;
  private next = layout.ARENA;
  /** Offset, from the start of the page that is decoded, of the first byte behind CS's limit. */
  private codeEnd = Infinity;
  private readonly blocks = new Blocks();
  private readonly lines: CodeLines;
  private readonly crossingBytes = new Uint8Array(2 * MAX_INSTRUCTION_LENGTH);
  /** Times everything was dropped, blocks decoded, blocks invalidated. */
  readonly counters = { flushes: 0, blocks: 0, instructions: 0, invalidations: 0 };

  constructor(
    memory: WebAssembly.Memory,
    private readonly ramBase: number,
    private readonly ramBytes: number,
    private readonly events: CodePageEvents,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.lines = new CodeLines(memory);
    this.encoder = new RecordEncoder(this.view);
    this.templates = new Templates(memory);
    this.clearLookup();
  }

  /** Decodes by what these features offer; before anything is decoded. */
  useInstructions(instructions: InstructionSet): void {
    this.decoder.instructions = instructions;
  }

  // ── lookup ────────────────────────────────────────────────────────────────────────────────────────────

  /** Word index of the lookup entry; the generated resolver computes the same. */
  private lookupWord(ramOffset: number, mode: number): number {
    const mixed = ramOffset ^ (ramOffset >>> 16) ^ (mode << 5);
    return (layout.LOOKUP >>> 2) + (mixed & (layout.LOOKUP_ENTRIES - 1)) * (layout.LOOKUP_ENTRY_SIZE >>> 2);
  }

  private find(ramOffset: number, mode: number): number {
    const word = this.lookupWord(ramOffset, mode);
    return this.words[word] === ramOffset && this.words[word + 1] === mode ? this.words[word + 2] : 0;
  }

  private enter(ramOffset: number, mode: number, record: number): void {
    const word = this.lookupWord(ramOffset, mode);
    this.words[word] = ramOffset;
    this.words[word + 1] = mode;
    this.words[word + 2] = record;
  }

  private clearLookup(): void {
    const first = layout.LOOKUP >>> 2;
    const words = (layout.LOOKUP_ENTRIES * layout.LOOKUP_ENTRY_SIZE) >>> 2;
    // All four words of each: a loop over one of them would be seen in every start.
    this.words.fill(layout.LOOKUP_EMPTY, first, first + words);
  }

  /** Record of the instruction at a RAM offset in a mode, or 0 when it is not decoded. */
  recordAtOffset(ramOffset: number, mode: number): number {
    const found = this.find(ramOffset, mode);
    if (found) return found;
    return this.findInside(ramOffset >>> layout.PAGE_SHIFT, ramOffset & (layout.PAGE_SIZE - 1), mode);
  }

  /** The block that holds a record; undefined when it was dropped. */
  blockOf(record: number): Block | undefined {
    return this.blocks.holding(record);
  }

  /** Blocks decoded from a page of RAM. */
  blocksIn(page: number): readonly Block[] {
    return this.blocks.in(page) ?? [];
  }

  // ── decoding ──────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Record of the instruction at `ramOffset` in the CPU's mode, decoding a block from there. 0 when its second page
   * faulted; the fault is delivered then.
   */
  decode(cpu: CpuContext, ramOffset: number, nextPage: TranslateNextPage): number {
    if (
      this.next + (MAX_BLOCK + 4) * rec.RECORD_BYTES >
      layout.ARENA + layout.ARENA_RECORDS * rec.RECORD_BYTES
    )
      this.flush();
    const mode = cpu.get32(layout.MODE_KEY);
    const page = ramOffset >>> layout.PAGE_SHIFT;
    const start = ramOffset & (layout.PAGE_SIZE - 1);
    const inside = this.findInside(page, start, mode);
    if (inside) {
      this.enter(ramOffset, mode, inside);
      return inside;
    }
    const limit = cpu.code64 ? ENDLESS : cpu.limit(layout.CS);
    // Behind 4 GiB the instruction pointer is 0 again.
    this.codeEnd = limit === ENDLESS ? Infinity : start + limit + 1 - cpu.getAddress(layout.RIP);
    const block = this.begin(page, start, mode);
    block.end = this.straightLine(block, page, start);
    if (block.end === start) return this.crossingBlock(cpu, block, nextPage);
    this.enter(ramOffset, mode, block.record);
    this.register(block);
    return block.record;
  }

  private begin(page: number, start: number, mode: number): Block {
    const { next: record } = this;
    return {
      page,
      start,
      end: start,
      rest: undefined,
      record,
      count: 0,
      mode,
      dropped: false,
      heat: 0,
      renewals: 0,
    };
  }

  /** The record at an offset in the middle of a block that is decoded already, or 0. */
  private findInside(page: number, offset: number, mode: number): number {
    const blocks = this.blocksIn(page);
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i];
      // What goes on in this page does not begin in it.
      if (offset < block.start || offset >= block.end || block.mode !== mode || block.page !== page) continue;
      const record = this.recordAt(block, offset);
      if (record) return record;
    }
    return 0;
  }

  /** The record of a block's instruction at an offset, by bisection; 0 when no instruction begins there. */
  private recordAt(block: Block, offset: number): number {
    let low = 0;
    let high = block.count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offsetOf(block.record + middle * rec.RECORD_BYTES) < offset) low = middle + 1;
      else high = middle;
    }
    const record = block.record + low * rec.RECORD_BYTES;
    const op = this.view.getUint16(record + rec.REC_OP, true);
    return this.offsetOf(record) === offset && op !== PSEUDO.continue ? record : 0;
  }

  private offsetOf(record: number): number {
    return this.view.getUint16(record + rec.REC_OFFSET, true);
  }

  /** Decodes records until the block ends; returns the offset behind its last byte. */
  private straightLine(block: Block, page: number, start: number): number {
    const pageBase = page * layout.PAGE_SIZE;
    const host = this.ramBase + pageBase;
    const limit = host + layout.PAGE_SIZE;
    const codeBytes = CODE_BYTES[block.mode & 3];
    const i = this.decoder.instruction;
    // It reads some bytes more than instructions have, which are in memory but behind the last page.
    const isInside = block.mode === MODE_CODE64 && pageBase + layout.PAGE_SIZE < this.ramBytes;
    const quickly = isInside ? this.decodeQuickly : undefined;
    let offset = start;
    let afterCall = false;
    while (block.count < MAX_BLOCK && offset < layout.PAGE_SIZE) {
      if (quickly !== undefined) {
        const state = (offset === start ? 0 : STATE_LOOKS) | (afterCall ? STATE_AFTER_CALL : 0);
        const decoded = this.takeKnown(quickly, block, pageBase + offset, state);
        offset = decoded & DECODED.offsetMask;
        const flow = decoded >>> DECODED.flowShift;
        if (flow === FLOW.ends) return offset;
        if (flow === FLOW.breaks || block.count === MAX_BLOCK || offset === layout.PAGE_SIZE) break;
        afterCall = flow === FLOW.calls;
      }
      const known = offset === start ? 0 : this.find(pageBase + offset, block.mode);
      if (known) return this.endBlock(block, offset, known);
      if (offset >= this.codeEnd) return this.endBlock(block, offset, 0);
      if (this.decoder.decode(this.bytes, host + offset, limit, codeBytes) === 0) {
        if (this.codeEnd <= layout.PAGE_SIZE) return this.endAtLimit(block, offset, layout.PAGE_SIZE);
        return offset === start ? start : this.endBlock(block, offset, 0);
      }
      if (offset + i.length > this.codeEnd) return this.endAtLimit(block, offset, offset + i.length);
      if (afterCall) this.enter(pageBase + offset, block.mode, this.next);
      this.emit(block, offset);
      offset += i.length;
      if (i.form.ends) {
        if (!NEVER_CONTINUES.has(i.form.mnemonic)) this.endBlock(block, offset, 0);
        return offset;
      }
      afterCall = CALLS.has(i.form.mnemonic);
    }
    return this.endBlock(block, offset, 0);
  }

  /** Records of the instructions from a RAM offset on that are of known kinds; where that ended, see `DECODED`. */
  private takeKnown(decodeQuickly: DecodeQuickly, block: Block, ramOffset: number, state: number): number {
    const host = this.ramBase + ramOffset;
    const decoded = decodeQuickly(host, ramOffset, this.next, MAX_BLOCK - block.count, state);
    const count = (decoded >>> DECODED.countShift) & DECODED.countMask;
    block.count += count;
    this.counters.instructions += count;
    this.next += count * rec.RECORD_BYTES;
    return decoded;
  }

  private emit(block: Block, offset: number): void {
    const { instruction } = this.decoder;
    this.encoder.encode(this.next, instruction, offset, block.mode);
    if (block.mode === MODE_CODE64)
      this.templates.learn(instruction, this.view.getUint16(this.next + rec.REC_OP, true));
    this.next += rec.RECORD_BYTES;
    block.count++;
    this.counters.instructions++;
  }

  /** Ends a block with an instruction whose last bytes, up to offset `end`, lie outside CS. */
  private endAtLimit(block: Block, offset: number, end: number): number {
    this.encoder.pseudo(this.next, PSEUDO.beyondLimit, offset, 0, 0);
    this.next += rec.RECORD_BYTES;
    block.count++;
    return end;
  }

  private endBlock(block: Block, offset: number, link: number): number {
    if (offset >= this.codeEnd) return this.endAtLimit(block, offset, Math.min(offset + 1, layout.PAGE_SIZE));
    this.encoder.pseudo(this.next, PSEUDO.continue, offset, offset, link);
    this.next += rec.RECORD_BYTES;
    block.count++;
    return offset;
  }

  /** An instruction that continues in the next linear page: a check of that page, then the instruction alone. */
  private crossingBlock(cpu: CpuContext, block: Block, nextPage: TranslateNextPage): number {
    const { page, start, mode } = block;
    const record = this.next;
    this.encoder.pseudo(record, PSEUDO.crossing, start, 0, 0);
    const epoch = this.counters.flushes;
    const second = nextPage(cpu, record);
    if (second === FETCH_FAULTED) return 0;
    if (epoch !== this.counters.flushes) throw new Error("decoded instructions were dropped while decoding");
    this.encoder.pseudo(record, PSEUDO.crossing, start, second, 0);
    this.next += rec.RECORD_BYTES;
    block.count = 1;
    const firstLength = layout.PAGE_SIZE - start;
    const hostFirst = this.ramBase + page * layout.PAGE_SIZE + start;
    this.crossingBytes.set(this.bytes.subarray(hostFirst, hostFirst + firstLength));
    this.crossingBytes.set(this.firstBytes(second), firstLength);
    this.decoder.decode(this.crossingBytes, 0, firstLength + MAX_INSTRUCTION_LENGTH, CODE_BYTES[mode & 3]);
    const length = this.decoder.instruction.length;
    if (start + length > this.codeEnd) this.endAtLimit(block, start, start + length);
    else this.emit(block, start);
    this.endBlock(block, start + length, 0);
    block.end = layout.PAGE_SIZE;
    const end = Math.max(1, length - firstLength);
    if (second >= 0) block.rest = { page: second >>> layout.PAGE_SHIFT, start: 0, end };
    this.enter(page * layout.PAGE_SIZE + start, mode, record);
    this.register(block);
    return record;
  }

  /** As many bytes of a page as an instruction can take from it: ones where there is no RAM. */
  private firstBytes(ramOffset: number): Uint8Array {
    if (ramOffset === FETCH_ONES) return ONES;
    const host = this.ramBase + ramOffset;
    return this.bytes.subarray(host, host + MAX_INSTRUCTION_LENGTH);
  }

  /**
   * Before an instruction that crosses pages: whether the next page is still the one it was decoded from. If not,
   * the block is dropped, RIP set, and 0 returned so that it is looked up (and decoded) again.
   */
  checkCrossing(cpu: CpuContext, record: number, nextPage: TranslateNextPage): number {
    const second = nextPage(cpu, record);
    if (second === FETCH_FAULTED) {
      // The record gave back its count; a fetch that faults has one.
      cpu.i32[(cpu.base + layout.LEFT) >>> 2]--;
      return 0;
    }
    if (second >>> 0 === this.view.getUint32(record + rec.REC_IMMEDIATE, true)) return 1;
    const block = this.blockOf(record);
    if (block) this.drop([block]);
    cpu.setAddress(layout.RIP, cpu.instructionRip(record));
    return 0;
  }

  // ── from one machine to another ───────────────────────────────────────────────────────────────────────

  /** What is decoded, but for blocks of which `isSame` says that the other one's RAM has other bytes. No record enters a region now. */
  save(isSame: (extent: Extent) => boolean): { code: Uint8Array; records: Uint8Array } {
    const records = this.bytes.slice(layout.ARENA, this.next);
    const ops = new Uint16Array(records.buffer);
    const blocks = this.blocks.current().filter((block) => {
      if (isSame(block) && (block.rest === undefined || isSame(block.rest))) return true;
      for (let i = 0; i < block.count; i++)
        ops[this.opIndex(block.record + i * rec.RECORD_BYTES)] = PSEUDO.relookup;
      return false;
    });
    const lookups: number[] = [];
    const first = layout.LOOKUP >>> 2;
    const step = layout.LOOKUP_ENTRY_SIZE >>> 2;
    for (let entry = 0, word = first; entry < layout.LOOKUP_ENTRIES; entry++, word += step) {
      const record = this.words[word + 2];
      if (this.words[word] === layout.LOOKUP_EMPTY || ops[this.opIndex(record)] === PSEUDO.relookup) continue;
      lookups.push(entry, this.words[word], this.words[word + 1], record);
    }
    const others = {
      lookups: Uint32Array.from(lookups),
      ...this.templates.save(),
      recordBytes: records.length,
    };
    return { code: packDecodedCode(blocks, others), records };
  }

  /** Index of a record's operation in the arena, by 16 bits. */
  private opIndex(record: number): number {
    return (record - layout.ARENA + rec.REC_OP) >>> 1;
  }

  /** Where another cache's records belong. */
  placeOf({ recordBytes }: DecodedCode): Uint8Array {
    return this.bytes.subarray(layout.ARENA, layout.ARENA + recordBytes);
  }

  /**
   * Has decoded what another cache did, whose RAM was the same and whose records are in their place. Nothing was decoded before, no CPU has
   * run yet, nor entered anything into its TLBs.
   */
  restore(code: DecodedCode): void {
    this.templates.restore(code.templates, code.kinds);
    this.next = layout.ARENA + code.recordBytes;
    const { lookups } = code;
    for (let i = 0; i < lookups.length; i += 4) {
      const word = (layout.LOOKUP + lookups[i] * layout.LOOKUP_ENTRY_SIZE) >>> 2;
      this.words[word] = lookups[i + 1];
      this.words[word + 1] = lookups[i + 2];
      this.words[word + 2] = lookups[i + 3];
    }
    this.blocks.restore(code.blocks);
    this.lines.restore(code.pages, PAGE_WORDS);
  }

  // ── code pages ────────────────────────────────────────────────────────────────────────────────────────

  private register(block: Block): void {
    this.counters.blocks++;
    this.blocks.append(block);
    this.hold(block, block);
    if (block.rest !== undefined) this.hold(block, block.rest);
  }

  /** Notes that a block has bytes of a page. */
  private hold(block: Block, extent: Extent): void {
    const crowd = this.blocks.in(extent.page);
    if (crowd !== undefined && crowd.length >= MAX_BLOCKS_PER_PAGE)
      this.drop(crowd.filter((other) => other !== block));
    const held = this.pageHoldsCode(extent.page * layout.PAGE_SIZE);
    this.blocks.hold(extent.page, block);
    this.lines.mark(extent);
    if (!held) this.events.codePageAdded(extent.page);
  }

  /** Whether the page of a RAM offset holds decoded instructions. */
  pageHoldsCode(ramOffset: number): boolean {
    return this.lines.inPage(ramOffset >>> layout.PAGE_SHIFT);
  }

  /** Bytes `[ramOffset, +length)` change: drops the blocks decoded from any of them. */
  invalidate(ramOffset: number, length: number): void {
    let at = ramOffset;
    const end = Math.min(ramOffset + length, this.ramBytes);
    while (at < end) {
      const page = Math.floor(at / layout.PAGE_SIZE);
      const pageEnd = Math.min(end, (page + 1) * layout.PAGE_SIZE);
      if (this.pageHoldsCode(at))
        this.invalidateInPage(page, at - page * layout.PAGE_SIZE, pageEnd - page * layout.PAGE_SIZE);
      at = pageEnd;
    }
  }

  private invalidateInPage(page: number, start: number, end: number): void {
    if (!this.lines.between(page, start, end)) return;
    const hit = this.blocks.in(page)?.filter((block) => touches(block, page, start, end));
    if (hit && hit.length > 0) this.drop(hit);
  }

  /** Forgets blocks: their records turn into ones that look themselves up. Takes one pass over their pages. */
  private drop(blocks: readonly Block[]): void {
    this.counters.invalidations += blocks.length;
    this.events.blocksDropped(blocks);
    const pages = new Set<number>();
    for (const block of blocks) {
      block.dropped = true;
      this.disarm(block);
      pages.add(block.page);
      if (block.rest !== undefined) pages.add(block.rest.page);
    }
    for (const page of pages) {
      const rest = this.blocksIn(page).filter((block) => !block.dropped);
      this.blocks.keep(page, rest);
      this.lines.clear(page);
      for (const block of rest) {
        if (block.page === page) this.lines.mark(block);
        if (block.rest?.page === page) this.lines.mark(block.rest);
      }
    }
  }

  private disarm(block: Block): void {
    const page = block.page * layout.PAGE_SIZE;
    for (let i = 0; i < block.count; i++) {
      const record = block.record + i * rec.RECORD_BYTES;
      this.view.setUint16(record + rec.REC_OP, PSEUDO.relookup, true);
      const word = this.lookupWord(page + this.offsetOf(record), block.mode);
      if (this.words[word + 2] === record) this.words[word] = layout.LOOKUP_EMPTY;
    }
  }

  /** Drops everything. Records found before are gone. */
  flush(): void {
    this.counters.flushes++;
    for (const page of this.blocks.pages) this.lines.clear(page);
    this.blocks.clear();
    this.clearLookup();
    this.next = layout.ARENA;
    this.events.flushed();
  }
}
