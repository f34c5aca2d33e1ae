/**
 * A case while it is made: initial registers and memory, which lie in the batch's input as the harness reads them,
 * and the bytes of the instruction. Everything starts random; a form changes what it cares about.
 *
 * How a case ends: behind the instruction lie INT3s, so that one that falls through or branches ends in #BP and
 * otherwise by its own fault. With RFLAGS.TF set it ends in #DB.
 */
import { fill } from "./corners.js";
import type { Taste } from "./corners.js";
import { fillFloatMemory, fillSse, fillX87 } from "./float-state.js";
import type { Lanes } from "./float-state.js";
import type { Form } from "./form.js";
import {
  CASE,
  CODE,
  CODE16,
  CS,
  DS,
  ES,
  FS,
  FS_BASE,
  FS_BASE_AT,
  FX_AT,
  GPR_AT,
  GS,
  GS_BASE,
  GS_BASE_AT,
  LDT,
  localSelector,
  MEMORY_AT,
  MEMORY_BEFORE,
  MEMORY_BYTES,
  NOWHERE,
  NOWHERE32,
  RECORD_BYTES,
  SEGMENTS_AT,
  SELECTOR,
  SS,
  VIEWS,
  viewMiddle,
} from "./layout.js";
import { Random } from "./random.js";

/** RFLAGS bits that cases choose. IF is always set and IOPL 0, as Linux has them in user mode. */
export const RFLAGS = {
  CF: 0x1, FIXED: 0x2, PF: 0x4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800,
  NT: 0x4000, RF: 0x10000, AC: 0x40000, ID: 0x200000,
} as const; // prettier-ignore
export const STATUS_FLAGS = RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;

export const RSP = 4;
/** Offsets in the FXSAVE image: SDM vol. 1 table 10-2. */
export const FX = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FDP: 16,
  MXCSR: 24,
  ST0: 32,
  XMM0: 160,
  END: 416,
} as const;
const FCW_USUAL = 0x37f;
const MXCSR_USUAL = 0x1f80;
/** Rounding, FTZ, DAZ, sticky flags: everything but the masks. */
const MXCSR_NOT_MASKS = 0xe07f;
const MXCSR_ALL = 0xffff;
const SEGMENT_ORDER = [ES, DS, FS, GS];
const TASTES: readonly Taste[] = ["integer", "single", "double", "random"];

export class Case {
  readonly random = new Random();
  form!: Form;
  /** The instruction's bytes. */
  readonly code: number[] = [];
  /** Linear address of the first. */
  address = 0;
  /** Called with the linear address behind the last byte, once the form is done; for RIP-relative operands. */
  readonly whenEndIsKnown: ((end: number) => void)[] = [];

  gpr!: BigUint64Array;
  memory!: Uint8Array;
  private readonly bases: bigint[] = new Array<bigint>(6).fill(0n);
  private view!: DataView;
  private words!: Uint32Array;

  /** Begins a case in `record`, RECORD_BYTES at a multiple of 8. */
  begin(form: Form, record: Uint8Array, address: number, taste?: Taste): void {
    const { buffer, byteOffset } = record;
    this.form = form;
    this.code.length = 0;
    this.whenEndIsKnown.length = 0;
    this.address = address;
    this.gpr = new BigUint64Array(buffer, byteOffset + GPR_AT, 16);
    this.view = new DataView(buffer, byteOffset, RECORD_BYTES);
    this.words = new Uint32Array(buffer, byteOffset, RECORD_BYTES / 4);
    this.memory = new Uint8Array(buffer, byteOffset + MEMORY_AT, MEMORY_BYTES);
    this.randomState(taste ?? TASTES[this.random.below(TASTES.length)]);
  }

  get mode(): Form["mode"] {
    return this.form.mode;
  }

  get rflags(): number {
    return this.view.getUint32(CASE.RFLAGS, true);
  }

  set rflags(value: number) {
    this.view.setUint32(CASE.RFLAGS, value, true);
  }

  get rsp(): bigint {
    return this.view.getBigUint64(CASE.RSP, true);
  }

  set rsp(value: bigint) {
    this.view.setBigUint64(CASE.RSP, value, true);
  }

  /** The initial value of general register `index`, 4 being RSP. */
  register(index: number): bigint {
    return index === RSP ? this.rsp : this.gpr[index];
  }

  /** Sets it, cut to 32 bits outside 64-bit mode: what is above them there is nobody's business. */
  setRegister(index: number, value: bigint): void {
    const v = BigInt.asUintN(this.mode === 64 ? 64 : 32, value);
    if (index === RSP) this.rsp = v;
    else this.gpr[index] = v;
  }

  /** Where a code segment's CS selector stands: 64-bit or 32-bit code. */
  set cs(selector: number) {
    this.view.setUint32(CASE.CS, selector, true);
  }

  get mxcsr(): number {
    return this.view.getUint32(FX_AT + FX.MXCSR, true);
  }

  set mxcsr(value: number) {
    this.view.setUint32(FX_AT + FX.MXCSR, value, true);
  }

  /** The FXSAVE64 image: x87, MMX, XMM and MXCSR, offsets in `FX`. */
  get fx(): DataView {
    return new DataView(this.view.buffer, this.view.byteOffset + FX_AT, FX.END);
  }

  /** Base of a segment register, by its number. */
  segmentBase(segment: number): bigint {
    return this.bases[segment];
  }

  /** The offset in a segment that a linear address has. */
  offset(segment: number, linear: bigint): bigint {
    return BigInt.asUintN(this.mode === 64 ? 64 : 32, linear - this.bases[segment]);
  }

  /** RIP of the instruction, relative to CS as it is. */
  get instructionPointer(): number {
    return this.address - Number(this.bases[CS]);
  }

  /** Where the stack pointer points. */
  get stackLinear(): bigint {
    return this.rsp + this.bases[SS];
  }

  /** Offset in `memory` of a linear address in the window, or -1. */
  windowOffset(linear: bigint): number {
    for (let v = 0; v < VIEWS.length; v++) {
      const offset = Number(linear) - viewMiddle(v) + MEMORY_BEFORE;
      if (offset >= 0 && offset < MEMORY_BYTES) return offset;
    }
    return -1;
  }

  /**
   * A linear address for an operand of `size` bytes: mostly within the window, sometimes across the boundary of its
   * two pages, one of which may be absent or read only, rarely nowhere or not canonical. `aligned` operands mostly
   * are.
   */
  target(size: number, aligned = false): bigint {
    const { random } = this;
    const choice = random.below(64);
    if (choice === 0) return this.strayAddress();
    const unaligned = aligned ? random.once(12) : random.once(2);
    let offset: number;
    let view = 0;
    if (choice < 40) offset = random.below(MEMORY_BYTES - size + 1) - MEMORY_BEFORE;
    else {
      view = random.below(VIEWS.length);
      const across = choice < 54 && size > 1 ? random.below(size + 1) : random.below(2 * size + 32) - 16;
      offset = Math.max(-MEMORY_BEFORE, Math.min(MEMORY_BYTES - MEMORY_BEFORE - size, -across));
    }
    if (!unaligned && size > 1) offset = Math.floor(offset / size) * size;
    if (offset < -MEMORY_BEFORE) offset += size;
    return BigInt(viewMiddle(view) + offset);
  }

  /** An address in the middle of the window that everything is allowed at, `size` bytes aligned. */
  plainTarget(size: number): bigint {
    const slots = Math.floor((MEMORY_BYTES - size) / 8);
    const offset = 8 * this.random.below(slots + 1) - MEMORY_BEFORE;
    return BigInt(viewMiddle(0) + offset);
  }

  private strayAddress(): bigint {
    const { random } = this;
    if (this.mode !== 64) return BigInt(NOWHERE32 + random.below(0x1000));
    switch (random.below(4)) {
      case 0:
        return NOWHERE + BigInt(random.below(0x1000));
      case 1:
        return 0xffffc12345678000n + BigInt(random.below(0x1000));
      case 2:
        return 0x7ffffffffff0n + BigInt(random.below(24));
      default:
        return (random.u64() & 0xfffffffffffffn) | 0x80f0000000000000n;
    }
  }

  private randomState(taste: Taste): void {
    const { random, view, words } = this;
    words.fill(0);
    fill(words, 0, 32, random.once(2) ? "integer" : "random", random);
    if (this.mode !== 64) for (let i = 0; i < 8; i++) words[2 * i + 1] = 0;
    view.setUint32(CASE.RIP, this.address, true);
    view.setUint32(CASE.CS, this.mode === 64 ? SELECTOR.CODE64 : SELECTOR.CODE32, true);
    this.rflags = this.randomFlags();
    this.standardSegments();
    if (this.form.segmented) this.randomSegments();
    this.rsp = this.offset(SS, this.plainTarget(64));
    this.randomUnits(taste);
    fill(words, MEMORY_AT / 4, (MEMORY_AT + MEMORY_BYTES) / 4, taste, random);
    if (random.once(16)) fillX87(words, FX_AT / 4, random);
    if (this.form.lanes !== undefined && !random.once(8)) this.floatState(this.form.lanes);
  }

  /** XMM, MXCSR and memory as floating-point instructions mind them. */
  private floatState(lanes: Lanes): void {
    fillSse(this.words, FX_AT / 4, lanes, this.random);
    fillFloatMemory(this.words, MEMORY_AT / 4, MEMORY_BYTES, FX_AT / 4, lanes, this.random);
  }

  private standardSegments(): void {
    this.bases[CS] = 0n;
    for (const segment of [ES, SS, DS, FS, GS]) this.setSegment(segment, SELECTOR.DATA, 0n);
    this.bases[FS] = FS_BASE;
    this.bases[GS] = GS_BASE;
    this.view.setBigUint64(FS_BASE_AT, FS_BASE, true);
    this.view.setBigUint64(GS_BASE_AT, GS_BASE, true);
  }

  /**
   * Data segments of any kind, null among them; a stack that can be written. Null is 0, because the guest reaches user mode
   * by an IRET from level 0, which leaves no other.
   */
  private randomSegments(): void {
    const { random } = this;
    for (const segment of [ES, DS, FS, GS]) {
      const index = random.below(LDT.length + 4);
      if (index < LDT.length) this.setSegment(segment, localSelector(index), BigInt(LDT[index].base));
      else if (index === LDT.length) this.setSegment(segment, 0, 0n);
      else this.setSegment(segment, SELECTOR.DATA, 0n);
    }
    const stack = random.below(LDT.length);
    const { base, kind } = LDT[stack];
    if (kind === "data" || kind === "expand-down") this.setSegment(SS, localSelector(stack), BigInt(base));
    this.view.setBigUint64(FS_BASE_AT, this.bases[FS], true);
    this.view.setBigUint64(GS_BASE_AT, this.bases[GS], true);
    this.bases[CS] = this.mode === 16 ? BigInt(CODE) : 0n;
    this.view.setUint32(CASE.RIP, this.instructionPointer, true);
    if (this.mode === 16) this.cs = CODE16;
  }

  /** Gives a segment register a selector whose descriptor has this base; FS and GS have theirs from the record. */
  setSegment(segment: number, selector: number, base: bigint): void {
    this.bases[segment] = base;
    if (segment === SS) this.view.setUint32(CASE.SS, selector, true);
    else this.view.setUint16(SEGMENTS_AT + 2 * SEGMENT_ORDER.indexOf(segment), selector, true);
  }

  private randomFlags(): number {
    const { random } = this;
    let flags = RFLAGS.FIXED | RFLAGS.IF | (random.u32() & STATUS_FLAGS);
    if (random.once(4)) flags |= RFLAGS.DF;
    if (random.once(16)) flags |= RFLAGS.TF;
    if (random.once(16)) flags |= RFLAGS.AC;
    if (random.once(32)) flags |= RFLAGS.NT;
    if (random.once(32)) flags |= RFLAGS.RF;
    if (random.once(8)) flags |= RFLAGS.ID;
    return flags;
  }

  /** x87 registers with any content and all exceptions masked, XMM, MXCSR. */
  private randomUnits(taste: Taste): void {
    const { random, view, words } = this;
    view.setUint16(FX_AT + FX.FCW, FCW_USUAL, true);
    view.setUint16(FX_AT + FX.FSW, random.below(8) << 11, true);
    view.setUint8(FX_AT + FX.FTW, random.once(2) ? 0 : random.below(256));
    for (let i = 0; i < 8; i++) {
      const at = (FX_AT + FX.ST0) / 4 + 4 * i;
      fill(words, at, at + 2, taste, random);
      words[at + 2] = random.u32() & 0xffff;
    }
    fill(words, (FX_AT + FX.XMM0) / 4, (FX_AT + FX.END) / 4, taste, random);
    let mxcsr = MXCSR_USUAL;
    if (random.once(2)) mxcsr |= random.u32() & MXCSR_NOT_MASKS;
    if (random.once(4)) mxcsr = random.u32() & MXCSR_ALL;
    this.mxcsr = mxcsr;
  }
}
