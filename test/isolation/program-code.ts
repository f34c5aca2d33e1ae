/**
 * Random programs with the shapes of real ones: functions that call each other, nested loops, conditions, switches,
 * jumps into loops; with what is hard for a compiler of hot code in between: faults, code that is patched, remapped
 * and crosses pages, single steps, flushes. Everything follows from two generators: one for the shape, one for
 * constants, so that two programs can have the same instructions at the same places and compute something else.
 */
import {
  addressOf,
  Assembler,
  CONDITIONS,
  GPRS,
  byte,
  dword,
  memory,
  oword,
  qword,
} from "../support/asm/index.js";
import { cr3, XMM, r12, r13, r14, r15, rax, rcx, rdi, rsi, rsp } from "../support/asm/index.js";
import type { Gpr, Memory } from "../support/asm/index.js";
import type { Chunk } from "../support/asm/index.js";
import type { Random } from "../support/random.js";

export const PAGE = 0x1000;
export const CODE = 0x10000;
export const CODE_PAGES = 8;
/** The same program with other constants, which pages of code are switched to. */
export const TWIN = CODE ^ 0x80000;
export const DATA = 0x40000;
export const DATA_PAGES = 8;
export const PAGE_TABLE = 0xb000;
/** Counters of handlers, and the jumps that a function may still take to anywhere. */
export const COUNTS = 0x5000;
export const FUEL = COUNTS + 0x100;

const FUNCTIONS = 14;
/** The last of them are small and call nothing. */
const FIRST_LEAF = 9;
const LONGEST_LOOP = 31;
const TF = 0x100;
/** Opcodes behind 0F. */
const ADDSD = 0x58;
const PADDD = 0xfe;
const rcx32 = GPRS[32][1];
const PTE_BYTES = 8;
const PRESENT_OR_WRITABLE = [1, 2];
const FREE = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11] as const;
const SIZES = [8, 16, 32, 32, 64, 64] as const;
const LARGEST_CONSTANT = 0x7ffe0000;
const SMALLEST_CONSTANT = 0x1000;

/** A program in memory, and where it can be changed without changing its instructions. */
export interface Program {
  chunks: Chunk[];
  /** Addresses of 4-byte constants. */
  constants: number[];
  /** Addresses that instructions begin at. */
  heads: number[];
}

class Writer {
  readonly a = new Assembler(CODE, 64);
  readonly constants: number[] = [];
  readonly heads: number[] = [];
  private depth = 0;
  private current = 0;
  /** Targets of jumps in the function, and those of them that have no place yet. */
  private gotos: string[] = [];
  private pending: string[] = [];

  constructor(
    private readonly shape: Random,
    private readonly values: Random,
  ) {}

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
    const { a, shape } = this;
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
    a.push(r14)
      .push(r15)
      .mov(dword(FUEL), 3 + shape.below(12));
    this.gotos = Array.from({ length: 3 }, () => a.fresh("goto"));
    this.pending = [...this.gotos];
    for (let n = 3 + shape.below(5); n > 0; n--) this.statement();
    for (const label of this.pending) a.label(label);
    a.pop(r15).pop(r14).ret();
    a.label(`after${index}`);
  }

  /** A few operations; some return to one byte behind where they were called, or change the stack in between. */
  private leaf(index: number): void {
    const { a, shape } = this;
    const end = a.fresh("leaf");
    this.straight(1 + shape.below(3));
    if (shape.below(2)) a.cmp(this.register(32), shape.below(200)).jcc(shape.pick(CONDITIONS), end);
    this.straight(1);
    if (shape.below(4) === 0) a.inc(qword(rsp));
    if (shape.below(4) === 0) a.pop(rax).push(rax);
    a.label(end).ret().label(`after${index}`);
  }

  // ── pieces ────────────────────────────────────────────────────────────────────────────────────────────

  private constant(): number {
    return SMALLEST_CONSTANT + this.values.below(LARGEST_CONSTANT);
  }

  private register(size: 8 | 16 | 32 | 64 = this.shape.pick(SIZES)): Gpr {
    return GPRS[size][this.shape.pick(FREE)];
  }

  /** A memory operand in the data window; its pointer is computed first. */
  private place(size: 8 | 16 | 32 | 64 | 128): Memory {
    const { a, shape } = this;
    const pointer = shape.pick([r12, r13]);
    if (shape.below(3) > 0) {
      a.mov(pointer, this.register(64)).and(pointer, shape.below(4) ? 0x7ff8 : 0x7fff);
      if (shape.below(2)) a.add(pointer, DATA);
      else return memory(size, { base: pointer, disp: DATA });
    } else a.mov(pointer, DATA + shape.below(DATA_PAGES) * PAGE + shape.below(PAGE - 16));
    if (shape.below(4) === 0) {
      a.mov(rcx, this.register(64)).and(rcx, 0xf);
      return memory(size, { base: pointer, index: rcx, scale: shape.pick([1, 2, 4, 8] as const) });
    }
    return memory(size, { base: pointer, disp: shape.below(64) });
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

  private somewhere(size: 8 | 16 | 32 | 64): Gpr | Memory {
    return this.shape.below(2) ? this.register(size) : this.place(size);
  }

  private straight(count: number): void {
    for (let i = 0; i < count; i++) this.operation();
  }

  private operation(): void {
    const { a, shape } = this;
    const size = shape.pick(SIZES);
    const d = this.register(size);
    const s = this.register(size);
    const alu = [a.add, a.or, a.adc, a.sbb, a.and, a.sub, a.xor, a.cmp] as const;
    const shifts = [a.rol, a.ror, a.rcl, a.rcr, a.shl, a.shr, a.sar] as const;
    switch (shape.below(20)) {
      case 0:
      case 1:
        return void shape.pick(alu)(d, s);
      case 2:
        return void shape.pick(alu)(d, this.place(size));
      case 3:
        return void shape.pick(alu)(this.place(size), s);
      case 4:
        a.mov(this.register(32), this.constant());
        return void this.constants.push(a.here - 4);
      case 5:
        return void shape.pick(shifts)(d, 2 + shape.below(size - 3));
      case 6:
        return void shape.pick(shifts)(d, GPRS[8][1]);
      case 7:
        return void a.mov(d, this.place(size));
      case 8:
        return void a.mov(this.place(size), s);
      case 9:
        return void shape.pick([a.inc, a.dec, a.neg, a.not]).call(a, this.somewhere(size));
      case 10:
        return void a.set(shape.pick(CONDITIONS), this.somewhere(8));
      case 11:
        return void a.cmov(shape.pick(CONDITIONS), this.register(64), this.register(64));
      case 12:
        return void shape.pick([a.mul, a.imul1]).call(a, d);
      case 13:
        return void a.pushf().pop(this.register(64)).imul(this.register(32), this.register(32));
      case 14:
        a.push(this.register(64)).push(this.register(64));
        return void a.pop(this.register(64)).pop(this.register(64));
      case 15:
        return void shape.pick([a.bt, a.bts, a.btr, a.btc])(this.register(32), this.register(32));
      case 16:
        return this.rare();
      case 17:
        return this.vector();
      case 18:
        return void a.movzx(this.register(32), this.place(shape.pick([8, 16] as const)));
      default:
        return void a.lea(
          this.register(64),
          memory(0, { base: this.register(64), index: this.register(64) }),
        );
    }
  }

  private rare(): void {
    const { a, shape } = this;
    switch (shape.below(5)) {
      case 0:
        return void a.xadd(this.place(32), this.register(32));
      case 1:
        return void a.cmpxchg(this.place(64), this.register(64));
      case 2:
        return void a.xchg(this.place(32), this.register(32));
      case 3:
        return void a.shld(this.register(64), this.register(64), 1 + shape.below(60));
      default:
        return void a.lock().add(this.place(32), this.register(32));
    }
  }

  private vector(): void {
    const { a, shape } = this;
    const x = shape.pick(XMM);
    switch (shape.below(4)) {
      case 0:
        return void a.movdqu(x, this.place(128));
      case 1:
        return void a.movdqu(this.place(128), x);
      case 2:
        return void a.packed(PADDD, x, shape.pick(XMM));
      default:
        return void a.scalarDouble(ADDSD, x, shape.pick(XMM));
    }
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
    const counter = this.depth === 0 ? r14 : r15;
    const head = a.fresh("loop");
    a.mov(GPRS[32][counter.code], 1 + shape.below(this.depth === 0 ? 30 : 8)).label(head);
    this.body();
    // A jump into the loop brings any counter along.
    a.and(GPRS[32][counter.code], LONGEST_LOOP);
    a.dec(GPRS[32][counter.code]).jcc(shape.pick(["ne", "g"] as const), head);
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
    const { a, shape } = this;
    const behind = FUNCTIONS - 1 - this.current;
    if (behind === 0) return this.straight(2);
    const leaf = FIRST_LEAF + shape.below(FUNCTIONS - FIRST_LEAF);
    const target = `f${shape.below(2) ? this.current + 1 + shape.below(behind) : Math.max(leaf, this.current + 1)}`;
    if (shape.below(8) === 0) {
      // Where it is itself: a call without a return.
      const here = a.fresh("here");
      return void a.call(here).label(here).pop(this.register(64));
    }
    // The instruction behind the call has one byte, because some functions return behind it.
    if (shape.below(3)) return void a.call(target).nop();
    const table = a.fresh("table");
    const over = a.fresh("over");
    a.jmp(over).label(table).dq(addressOf(target)).label(over);
    a.mov(rax, addressOf(table)).callAt(qword(rax)).nop();
  }

  /** A jump through a table. */
  private choice(): void {
    const { a, shape } = this;
    const [table, over, end] = ["table", "over", "end"].map((stem) => a.fresh(stem));
    const ways = Array.from({ length: 4 }, () => a.fresh("way"));
    a.jmp(over).label(table);
    for (const label of ways) a.dq(addressOf(label));
    a.label(over).mov(rcx, this.register(64)).and(rcx, 3);
    a.mov(rax, addressOf(table));
    if (shape.below(2)) a.jmpAt(qword({ base: rax, index: rcx, scale: 8 }));
    else a.mov(rax, qword({ base: rax, index: rcx, scale: 8 })).jmpAt(rax);
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
    const { a, shape } = this;
    a.lea(rdi, this.place(8)).lea(rsi, this.place(8)).mov(GPRS[32][1], shape.below(40));
    if (shape.below(3)) shape.pick([a.rep, a.repne])();
    shape.pick([a.movs, a.stos, a.lods, a.scas, a.cmps])(shape.pick([8, 16, 32, 64] as const));
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
    const { a, shape } = this;
    const code = shape.below(2) === 0;
    const page = code ? CODE / PAGE + shape.below(CODE_PAGES) : DATA / PAGE + shape.below(DATA_PAGES);
    const entry = dword(PAGE_TABLE + page * PTE_BYTES);
    if (code) a.xor(entry, TWIN ^ CODE);
    else a.and(entry, ~shape.pick(PRESENT_OR_WRITABLE));
    a.invlpg(memory(0, page * PAGE));
  }

  private system(): void {
    const { a, shape } = this;
    switch (shape.below(10)) {
      case 6:
        return void a.swapgs();
      case 7:
        return void a.stac().mov(dword(DATA), rcx32).clac();
      case 8:
        return void a.syscall();
      case 0:
        return void a.movSystem(rax, cr3).movSystem(cr3, rax);
      case 1:
        return void a.int3();
      case 2:
        // Single steps from here on; the handler ends them.
        return void a.pushf().or(dword(GPRS[64][4]), TF).popf();
      case 3:
        return void a.cli().nop().sti();
      case 4:
        return void a.int(0x41);
      default:
        return void a.movdqu(oword(DATA + PAGE - 8), XMM[0]);
    }
  }
}

/** Writes a program; `values` gives its constants and nothing else. */
export function writeProgram(shape: Random, values: Random): Program {
  return new Writer(shape, values).write();
}
