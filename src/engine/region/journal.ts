/**
 * The journal of a region's stores, so that they can be undone: a pass that puts a call before every store to guest
 * memory in a region's code, and what that call keeps. Knows no instruction; why regions are run twice stands in
 * checker.ts.
 */
import { FunctionBuilder } from "../ir/function-builder.js";
import type { IrFunction, Statement, Value } from "../ir/ir.js";
import { HANDLER_SIGNATURE } from "../wasm/handler-builder.js";
import { INDIRECT } from "../wasm/lower.js";
import * as layout from "../x86/layout.js";

/** Imports that journalled code calls: `journal(host, bytes)` and `handOver(cpu, record, operation)`. */
export const JOURNAL_IMPORTS = {
  journal: { parameters: 2, result: false },
  handOver: { parameters: 3, result: true },
};

const STORE_BYTES: readonly [pattern: RegExp, bytes: number][] = [
  [/8(_lane)?$/, 1],
  [/16(_lane)?$/, 2],
  [/^v128\.store$/, 16],
  [/^[if]64\.store$|64_lane$/, 8],
  [/./, 4],
];

function storeBytes(op: string): number {
  const found = STORE_BYTES.find(([pattern]) => pattern.test(op));
  return found![1];
}

/** Whether an address lies in the CPU area, which the checker saves as a whole. */
function inCpuArea(address: Value): boolean {
  if (address.op === "parameter") return address.target === 0;
  return address.op === "i32.add" && inCpuArea(address.args[0]);
}

/** No guest memory: the CPU area, a counter. */
function isOwn(address: Value, offset: number): boolean {
  return address.op === "const" || offset === layout.REGION_OPERATION_COUNTS || inCpuArea(address);
}

class JournalPass {
  list(statements: Statement[]): void {
    for (let i = 0; i < statements.length; i++) {
      const before = this.before(statements[i]);
      statements.splice(i, 0, ...before);
      i += before.length;
    }
  }

  /** What comes before a statement; blocks in it are done as well. */
  private before(s: Statement): Statement[] {
    switch (s.kind) {
      case "store":
        if (isOwn(s.address, s.offset)) return [];
        return note((b) => [b.add(s.address, b.i32(s.offset)), b.i32(storeBytes(s.op))]);
      case "bulk":
        return note(() => [s.args[0], s.args[2]]);
      case "if":
        this.list(s.then);
        this.list(s.else);
        return [];
      case "loop":
      case "block":
        this.list(s.body);
        return [];
      case "define":
        this.redirect(s);
        return [];
      default:
        return [];
    }
  }

  /** The interpreter's handlers are called by the checker, which may first have to look at what the region did. */
  private redirect(value: Value): void {
    const indirect = value.op === "call" && String(value.target).startsWith(INDIRECT);
    if (indirect && value.args[2].op === "const") (value as { target: Value["target"] }).target = "handOver";
  }
}

/** The call that keeps what stands at a place, of address and length, if the region is checked. */
function note(place: (b: FunctionBuilder) => [host: Value, bytes: Value]): Statement[] {
  const b = new FunctionBuilder("journal", HANDLER_SIGNATURE);
  b.if(b.load("i32.load", b.parameter(0), layout.REGION_JOURNAL), () => b.callVoid("journal", place(b)));
  return b.finish().body;
}

/** Puts the journal into a region's code. */
export function addJournal(code: IrFunction): void {
  new JournalPass().list(code.body);
}

/** One store: where, and which bytes of `Journal.old` were there. */
interface Entry {
  readonly host: number;
  readonly bytes: number;
  readonly from: number;
}

const FIRST_CAPACITY = 4096;

/** What a region has stored, with the bytes that were there before. */
export class Journal {
  readonly entries: Entry[] = [];
  private old = new Uint8Array(FIRST_CAPACITY);
  private length = 0;

  constructor(private readonly memory: Uint8Array) {}

  clear(): void {
    this.entries.length = 0;
    this.length = 0;
  }

  /** `bytes` bytes at `host` are about to be overwritten. */
  note(host: number, bytes: number): void {
    const from = this.length;
    this.length += bytes;
    while (this.length > this.old.length) this.grow();
    this.old.set(this.memory.subarray(host, host + bytes), from);
    this.entries.push({ host, bytes, from });
  }

  private grow(): void {
    const larger = new Uint8Array(this.old.length * 2);
    larger.set(this.old);
    this.old = larger;
  }

  /** What stands at every place of the journal, in its order. */
  contents(): Uint8Array[] {
    return this.entries.map(({ host, bytes }) => this.memory.slice(host, host + bytes));
  }

  /** Takes all stores back. */
  undo(): void {
    for (let i = this.entries.length - 1; i >= 0; i--) {
      const { host, bytes, from } = this.entries[i];
      this.memory.set(this.old.subarray(from, from + bytes), host);
    }
  }
}
