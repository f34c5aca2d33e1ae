/**
 * Decoded code as the region graph sees it: operations under the entries of regions, pages by what the instruction TLB
 * held when execution was found there, and which instructions compile. Knows no region but by its entries.
 */
import { TWO_32 } from "../../bytes/words.js";
import type { DecodeCache } from "../wasm/decode-cache.js";
import { isImplemented } from "../wasm/interpreter.js";
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import { OPERATIONS } from "../x86/operands.js";
import { RECORD_BYTES, REC_OP } from "../x86/record.js";
import { readRecord, type DecodedRecord } from "./decoded-record.js";
import type { CodeSource } from "./code-source.js";
import { RegionBuilder, type Connections } from "./region-builder.js";
import { NotCompiled } from "./region-state.js";
import { RegionVariables } from "./registers.js";

/** Kinds of one operation that are told apart: address kind, repeat prefix, link. */
const KINDS = 16;
const NOWHERE: Connections = {
  isEntry: () => false,
  targetsOf: () => [],
  flagEntry: () => "words",
  handFlags: () => undefined,
  place: () => never(),
  dispatch: undefined,
  transfer: () => undefined,
};

function never(): never {
  throw new Error("no node is known");
}

/** Times that execution was found in a function which a region takes in without copying it. */
const WARM = 16;

export class CompilableCode implements CodeSource {
  readonly view: DataView;
  /** Operations of records that are entries of regions now. */
  readonly operations = new Map<number, number>();
  /** By mode, then by operation and kind of operands: whether it compiles. */
  private readonly verdicts = new Map<number, Map<number, boolean>>();
  private mode = 0;
  private cpu: CpuContext | undefined;
  /** Linear address of the page where execution was found, and the instruction pointer of its first byte. */
  private page = 0;
  private pageRip = 0;

  constructor(
    readonly cache: DecodeCache,
    memory: WebAssembly.Memory,
  ) {
    this.view = new DataView(memory.buffer);
  }

  /** Looks at code from where a CPU is: at `rip`, in its mode. */
  lookFrom(cpu: CpuContext, rip: number): void {
    this.cpu = cpu;
    this.mode = cpu.get32(layout.MODE_KEY);
    const linear = cpu.code64 ? rip : (rip + cpu.segmentBase(layout.CS)) % TWO_32;
    this.page = Math.floor(linear / layout.PAGE_SIZE) * layout.PAGE_SIZE;
    this.pageRip = rip - (linear - this.page);
  }

  distanceTo(rip: bigint): number {
    return Number(BigInt.asIntN(64, rip)) - this.pageRip;
  }

  operationOf(record: number): number {
    return this.operations.get(record) ?? this.view.getUint16(record + REC_OP, true);
  }

  isEntry(record: number): boolean {
    return this.operations.has(record);
  }

  isWarm(record: number): boolean {
    return this.isEntry(record) || (this.cache.blockOf(record)?.heat ?? 0) >= WARM;
  }

  read(record: number): DecodedRecord {
    return readRecord(this.view, record, this.operationOf(record));
  }

  blockEnd(record: number): number {
    const block = this.cache.blockOf(record);
    return block ? block.record + block.count * RECORD_BYTES : record;
  }

  pageOf(record: number): number {
    return (this.cache.blockOf(record)?.page ?? 0) * layout.PAGE_SIZE;
  }

  pageAt(distance: number): number {
    const { cpu } = this;
    if (!cpu) return -1;
    const linear = this.page + distance;
    return cpu.tlb.cachedCodePage(cpu.code64 ? linear : ((linear % TWO_32) + TWO_32) % TWO_32);
  }

  recordAt(ramOffset: number): number {
    return this.cache.recordAtOffset(ramOffset, this.mode);
  }

  startsInPage(ramOffset: number): readonly number[] {
    const blocks = this.cache.blocksIn(ramOffset / layout.PAGE_SIZE);
    return blocks.filter(({ mode, rest }) => mode === this.mode && rest === undefined).map((b) => b.record);
  }

  compiles(record: DecodedRecord): boolean {
    const operation = OPERATIONS.list[record.operation];
    if (!operation || !isImplemented(operation)) return false;
    let verdicts = this.verdicts.get(this.mode);
    if (!verdicts) this.verdicts.set(this.mode, (verdicts = new Map<number, boolean>()));
    const kind = record.addressKind * 4 + (record.repeat === 0 ? 0 : 2) + (record.link === 0 ? 0 : 1);
    const key = record.operation * KINDS + kind;
    let verdict = verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.attempt(record);
      verdicts.set(key, verdict);
    }
    return verdict;
  }

  private attempt(record: DecodedRecord): boolean {
    try {
      new RegionBuilder("attempt", new RegionVariables(), this.mode, NOWHERE).attempt(record);
      return true;
    } catch (error) {
      if (error instanceof NotCompiled) return false;
      throw error;
    }
  }
}
