/**
 * Operations of random programs: integer, rare and vector instructions on registers and on the data window, with what
 * computes their addresses. No control flow.
 */
import { Assembler, CONDITIONS, GPRS, memory } from "../support/asm/index.js";
import type { Gpr, GprSize, Memory } from "../support/asm/index.js";
import type { Random } from "../support/random.js";
import { CODE, DATA, DATA_PAGES, PAGE } from "./program-layout.js";
import { wordRegister, type ProgramMode } from "./program-modes.js";

/** Opcodes behind 0F. */
const ADDSD = 0x58;
const PADDD = 0xfe;
const LARGEST_CONSTANT = 0x7ffe0000;
const SMALLEST_CONSTANT = 0x1000;

/** Writes operations one after the other. */
export class Operations {
  readonly a: Assembler;
  readonly constants: number[] = [];
  protected readonly word: 32 | 64;
  protected readonly rax: Gpr;
  protected readonly rcx: Gpr;
  protected readonly rsp: Gpr;

  constructor(
    protected readonly mode: ProgramMode,
    protected readonly shape: Random,
    protected readonly values: Random,
  ) {
    this.a = new Assembler(CODE, mode.width);
    this.word = mode.width;
    [this.rax, this.rcx, this.rsp] = [0, 1, 4].map((code) => wordRegister(mode, code));
  }

  // ── pieces ────────────────────────────────────────────────────────────────────────────────────────────

  protected constant(): number {
    return SMALLEST_CONSTANT + this.values.below(LARGEST_CONSTANT);
  }

  protected register(size: GprSize = this.word): Gpr {
    return GPRS[size][this.shape.pick(size === 8 ? this.mode.bytes : this.mode.free)];
  }

  /** A memory operand in the data window; its pointer is computed first. */
  protected place(size: GprSize | 128): Memory {
    const { a, rcx, shape } = this;
    const pointer = wordRegister(this.mode, shape.pick(this.mode.pointers));
    if (shape.below(3) > 0) {
      a.mov(pointer, this.register()).and(pointer, shape.below(4) ? 0x7ff8 : 0x7fff);
      if (shape.below(2)) a.add(pointer, DATA);
      else return memory(size, { base: pointer, disp: DATA });
    } else a.mov(pointer, DATA + shape.below(DATA_PAGES) * PAGE + shape.below(PAGE - 16));
    if (shape.below(4) === 0) {
      a.mov(rcx, this.register()).and(rcx, 0xf);
      return memory(size, { base: pointer, index: rcx, scale: shape.pick([1, 2, 4, 8] as const) });
    }
    return memory(size, { base: pointer, disp: shape.below(64) });
  }

  protected somewhere(size: GprSize): Gpr | Memory {
    return this.shape.below(2) ? this.register(size) : this.place(size);
  }

  protected straight(count: number): void {
    for (let i = 0; i < count; i++) this.operation();
  }

  protected operation(): void {
    const { a, shape } = this;
    const size = shape.pick(this.mode.sizes);
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
        return void a.cmov(shape.pick(CONDITIONS), this.register(), this.register());
      case 12:
        return void shape.pick([a.mul, a.imul1]).call(a, d);
      case 13:
        return void a.pushf().pop(this.register()).imul(this.register(32), this.register(32));
      case 14:
        a.push(this.register()).push(this.register());
        return void a.pop(this.register()).pop(this.register());
      case 15:
        return void shape.pick([a.bt, a.bts, a.btr, a.btc])(this.register(32), this.register(32));
      case 16:
        return this.rare();
      case 17:
        return this.vector();
      case 18:
        return void a.movzx(this.register(32), this.place(shape.pick([8, 16] as const)));
      default:
        return void a.lea(this.register(), memory(0, { base: this.register(), index: this.register() }));
    }
  }

  protected rare(): void {
    const { a, shape } = this;
    switch (shape.below(5)) {
      case 0:
        return void a.xadd(this.place(32), this.register(32));
      case 1:
        return void a.cmpxchg(this.place(this.word), this.register());
      case 2:
        return void a.xchg(this.place(32), this.register(32));
      case 3:
        return void a.shld(this.register(), this.register(), 1 + shape.below(this.word - 4));
      default: {
        // The prefix belongs to the addition, not to what computes the place.
        const place = this.place(32);
        return void a.lock().add(place, this.register(32));
      }
    }
  }

  protected vector(): void {
    const { a, shape } = this;
    const x = shape.pick(this.mode.vectors);
    switch (shape.below(4)) {
      case 0:
        return void a.movdqu(x, this.place(128));
      case 1:
        return void a.movdqu(this.place(128), x);
      case 2:
        return void a.packed(PADDD, x, shape.pick(this.mode.vectors));
      default:
        return void a.scalarDouble(ADDSD, x, shape.pick(this.mode.vectors));
    }
  }
}
