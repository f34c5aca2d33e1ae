/**
 * Random programs with the shapes of real ones: functions that call each other, nested loops, conditions, switches,
 * jumps into loops; with what is hard for a compiler of hot code in between: faults, code that is patched, remapped
 * and crosses pages, single steps, flushes. Everything follows from two generators: one for the shape, one for
 * constants, so that two programs can have the same instructions at the same places and compute something else.
 */
import { FLAG_TF as TF } from "../../src/spec/x86-privileged.js";
import { addressOf, CONDITIONS, GPRS, byte, cr3, dword, memory, oword } from "../support/asm/index.js";
import type { Chunk } from "../support/asm/index.js";
import type { Random } from "../support/random.js";
import { CODE, CODE_PAGES, DATA, DATA_PAGES, FUEL, PAGE, PAGE_TABLE, TWIN } from "./program-layout.js";
import { SERVICE, wordAt, wordRegister, type ProgramMode } from "./program-modes.js";
import { Operations } from "./program-operations.js";

const FUNCTIONS = 14;
/** The last of them are small and call nothing. */
const FIRST_LEAF = 9;
const LONGEST_LOOP = 31;
const ecx = GPRS[32][1];
/** Bits of a page-table entry that a program takes away: present, writable, user. */
const PAGE_BITS = [1, 2, 4];

/** A program in memory, and where it can be changed without changing its instructions. */
export interface Program {
  chunks: Chunk[];
  /** Addresses of 4-byte constants. */
  constants: number[];
  /** Addresses that instructions begin at. */
  heads: number[];
}

class Writer extends Operations {
  readonly heads: number[] = [];
  private depth = 0;
  private current = 0;
  /** Targets of jumps in the function, and those of them that have no place yet. */
  private gotos: string[] = [];
  private pending: string[] = [];

  write(): Program {
    this.main();
    for (let i = 0; i < FUNCTIONS; i++) this.function(i);
    return { chunks: this.a.link(), constants: this.constants, heads: this.heads };
  }

  /** Calls functions for ever. */
  private main(): void {
    this.a.label("main");
    for (let i = 0; i < FIRST_LEAF; i++) this.a.call(`f${i}`).nop();
    this.a.jmp("main");
  }

  private function(index: number): void {
    const { a, mode, shape } = this;
    this.current = index;
    // Often so that the function goes over a page's end.
    const page = CODE + (index % CODE_PAGES) * PAGE;
    const start = page + (index < CODE_PAGES ? 0x100 : 0x900) + (shape.below(2) ? 0x600 : shape.below(0x100));
    if (start > a.here) {
      const at = a.fresh("over");
      a.jmp(at).org(start).label(at);
    }
    a.jmp(`after${index}`);
    a.label(`f${index}`);
    if (index >= FIRST_LEAF) return this.leaf(index);
    const [outer, inner] = mode.counters.map((code) => wordRegister(mode, code));
    a.push(outer)
      .push(inner)
      .mov(dword(FUEL), 3 + shape.below(12));
    this.gotos = Array.from({ length: 3 }, () => a.fresh("goto"));
    this.pending = [...this.gotos];
    for (let n = 3 + shape.below(5); n > 0; n--) this.statement();
    for (const label of this.pending) a.label(label);
    a.pop(inner).pop(outer).ret();
    a.label(`after${index}`);
  }

  /** A few operations; some return to one byte behind where they were called, or change the stack in between. */
  private leaf(index: number): void {
    const { a, shape } = this;
    const end = a.fresh("leaf");
    this.straight(1 + shape.below(3));
    if (shape.below(2)) a.cmp(this.register(32), shape.below(200)).jcc(shape.pick(CONDITIONS), end);
    this.straight(1);
    if (shape.below(4) === 0) a.inc(wordAt(this.mode, this.rsp));
    if (shape.below(4) === 0) a.pop(this.rax).push(this.rax);
    a.label(end).ret().label(`after${index}`);
  }

  private statement(): void {
    this.heads.push(this.a.here);
    if (this.shape.below(4) === 0 && this.pending.length > 0) this.a.label(this.pending.pop()!);
    const kind = this.shape.below(31);
    if (kind < 10) return this.straight(1 + this.shape.below(6));
    if (kind < 14) return this.loop();
    if (kind < 17) return this.condition();
    if (kind < 20) return this.call();
    if (kind < 21) return this.choice();
    if (kind < 23) return this.goto();
    if (kind < 25) return this.strings();
    if (kind < 27) return this.patch();
    if (kind < 29) return this.remap();
    return this.system();
  }

  // ── control flow ──────────────────────────────────────────────────────────────────────────────────────

  private body(): void {
    this.depth++;
    for (let n = 1 + this.shape.below(3); n > 0; n--) {
      if (this.depth < 3) this.statement();
      else this.straight(1);
    }
    this.depth--;
  }

  private loop(): void {
    const { a, shape } = this;
    if (this.depth >= 2) return this.straight(2);
    const counter = GPRS[32][this.mode.counters[this.depth]];
    const head = a.fresh("loop");
    a.mov(counter, 1 + shape.below(this.depth === 0 ? 30 : 8)).label(head);
    this.body();
    // A jump into the loop brings any counter along.
    a.and(counter, LONGEST_LOOP);
    a.dec(counter).jcc(shape.pick(["ne", "g"] as const), head);
  }

  private condition(): void {
    const { a, shape } = this;
    const otherwise = a.fresh("else");
    const end = a.fresh("end");
    if (shape.below(4)) a.cmp(this.register(32), shape.below(2) ? shape.below(100) : this.constant());
    a.jcc(shape.pick(CONDITIONS), otherwise);
    this.body();
    if (shape.below(2)) a.jmp(end);
    a.label(otherwise);
    if (shape.below(2)) this.body();
    a.label(end);
  }

  /** Only functions behind this one, so that calls end. */
  private call(): void {
    const { a, mode, rax, shape } = this;
    const behind = FUNCTIONS - 1 - this.current;
    if (behind === 0) return this.straight(2);
    const leaf = FIRST_LEAF + shape.below(FUNCTIONS - FIRST_LEAF);
    const target = `f${shape.below(2) ? this.current + 1 + shape.below(behind) : Math.max(leaf, this.current + 1)}`;
    if (shape.below(8) === 0) {
      // Where it is itself: a call without a return.
      const here = a.fresh("here");
      return void a.call(here).label(here).pop(this.register());
    }
    // The instruction behind the call has one byte, because some functions return behind it.
    if (shape.below(3)) return void a.call(target).nop();
    const table = a.fresh("table");
    const over = a.fresh("over");
    a.jmp(over).label(table);
    this.addresses([target]);
    a.label(over);
    a.mov(rax, addressOf(table)).callAt(wordAt(mode, rax)).nop();
  }

  private addresses(labels: readonly string[]): void {
    for (const label of labels) {
      if (this.word === 64) this.a.dq(addressOf(label));
      else this.a.dd(addressOf(label));
    }
  }

  /** A jump through a table. */
  private choice(): void {
    const { a, rax, rcx, shape } = this;
    const [table, over, end] = ["table", "over", "end"].map((stem) => a.fresh(stem));
    const ways = Array.from({ length: 4 }, () => a.fresh("way"));
    a.jmp(over).label(table);
    this.addresses(ways);
    a.label(over).mov(rcx, this.register()).and(rcx, 3);
    a.mov(rax, addressOf(table));
    const entry = memory(this.word, { base: rax, index: rcx, scale: this.word === 64 ? 8 : 4 });
    if (shape.below(2)) a.jmpAt(entry);
    else a.mov(rax, entry).jmpAt(rax);
    for (const label of ways) {
      a.label(label);
      this.straight(2);
      if (shape.below(2)) a.jmp(end);
    }
    a.label(end);
  }

  /** A jump to anywhere in the function, into loops too, as long as there is fuel. */
  private goto(): void {
    const { a, shape } = this;
    const skip = a.fresh("skip");
    a.dec(dword(FUEL)).jcc("s", skip).jmp(shape.pick(this.gotos)).label(skip);
  }

  // ── what is hard ──────────────────────────────────────────────────────────────────────────────────────

  private strings(): void {
    const { a, mode, shape } = this;
    const [rsi, rdi] = [6, 7].map((code) => wordRegister(mode, code));
    a.lea(rdi, this.place(8)).lea(rsi, this.place(8)).mov(ecx, shape.below(40));
    if (shape.below(3)) shape.pick([a.rep, a.repne])();
    shape.pick([a.movs, a.stos, a.lods, a.scas, a.cmps])(shape.pick(mode.strings));
  }

  /** Writes a constant of code that was written down already, perhaps of the loop around. */
  private patch(): void {
    const { a, shape, constants } = this;
    if (constants.length === 0) return this.straight(2);
    const target = shape.pick(shape.below(2) ? constants.slice(-3) : constants);
    if (shape.below(4) === 0) return void a.inc(byte(target));
    a.mov(dword(target), this.constant());
  }

  /** Switches a page of code to its twin, or takes a page of data away; with the flush that belongs to it. */
  private remap(): void {
    const { a, mode, rax, shape } = this;
    const code = shape.below(2) === 0;
    const page = code ? CODE / PAGE + shape.below(CODE_PAGES) : DATA / PAGE + shape.below(DATA_PAGES);
    const entry = dword(PAGE_TABLE + (page * this.word) / 8);
    if (mode.user) a.mov(rax, page * PAGE);
    if (code) a.xor(entry, TWIN ^ CODE);
    else a.and(entry, ~shape.pick(PAGE_BITS));
    if (mode.user) a.int(SERVICE.INVLPG);
    else a.invlpg(memory(0, page * PAGE));
  }

  private system(): void {
    const { a, mode, shape } = this;
    switch (shape.below(10)) {
      case 0:
        return this.flush();
      case 1:
        return void a.int3();
      case 2:
        // Single steps from here on; the handler ends them.
        return void a
          .pushf()
          .or(memory(32, { base: this.rsp }), TF)
          .popf();
      case 3:
        return void a.cli().nop().sti();
      case 4:
        return void a.int(0x41);
      case 6:
        // One byte that faults in user mode.
        if (mode.user) return void a.hlt();
        return void (mode.width === 64 ? a.swapgs() : a.nop());
      case 7:
        if (mode.user) return void a.mov(dword(DATA), ecx);
        return void a.stac().mov(dword(DATA), ecx).clac();
      case 8:
        return void (mode.width === 64 ? a.syscall() : a.int(0x41));
      default:
        return void a.movdqu(oword(DATA + PAGE - 8), mode.vectors[0]);
    }
  }

  private flush(): void {
    const { a, rax } = this;
    if (this.mode.user) a.int(SERVICE.FLUSH);
    else a.movSystem(rax, cr3).movSystem(cr3, rax);
  }
}

/** Writes a program; `values` gives its constants and nothing else. */
export function writeProgram(mode: ProgramMode, shape: Random, values: Random): Program {
  return new Writer(mode, shape, values).write();
}
