/**
 * System instructions of the test assembler: control registers, descriptor tables, far transfers, interrupts,
 * ports, MSRs, state saving.
 *
 * Specification: Intel SDM vol. 2 and vol. 3A §2.8 (system instruction summary).
 */
import { IntegerAssembler, sizeOf } from "./integer.js";
import type { RegMem } from "./integer.js";
import { AsmError } from "./encoder.js";
import type { ControlOperand, DebugOperand, Gpr, Immediate, Memory, SegmentOperand } from "./operands.js";

export class SystemAssembler extends IntegerAssembler {
  lgdt = (m: Memory): this => this.encode({ opcode: [0x0f, 0x01], reg: 2, rm: m });
  lidt = (m: Memory): this => this.encode({ opcode: [0x0f, 0x01], reg: 3, rm: m });
  sgdt = (m: Memory): this => this.encode({ opcode: [0x0f, 0x01], reg: 0, rm: m });
  sidt = (m: Memory): this => this.encode({ opcode: [0x0f, 0x01], reg: 1, rm: m });
  invlpg = (m: Memory): this => this.encode({ opcode: [0x0f, 0x01], reg: 7, rm: m });
  ltr = (s: Gpr): this => this.encode({ opcode: [0x0f, 0x00], reg: 3, rm: s });
  lldt = (s: Gpr): this => this.encode({ opcode: [0x0f, 0x00], reg: 2, rm: s });
  str = (d: Gpr): this => this.encode({ opcode: [0x0f, 0x00], size: d.size, reg: 1, rm: d });
  sldt = (d: Gpr): this => this.encode({ opcode: [0x0f, 0x00], size: d.size, reg: 0, rm: d });
  verr = (s: Gpr): this => this.encode({ opcode: [0x0f, 0x00], reg: 4, rm: s });
  verw = (s: Gpr): this => this.encode({ opcode: [0x0f, 0x00], reg: 5, rm: s });
  lar = (d: Gpr, s: Gpr): this => this.encode({ opcode: [0x0f, 0x02], size: d.size, reg: d, rm: s });
  lsl = (d: Gpr, s: Gpr): this => this.encode({ opcode: [0x0f, 0x03], size: d.size, reg: d, rm: s });
  smsw = (d: Gpr): this => this.encode({ opcode: [0x0f, 0x01], size: d.size, reg: 4, rm: d });
  lmsw = (s: Gpr): this => this.encode({ opcode: [0x0f, 0x01], reg: 6, rm: s });
  invpcid = (type: Gpr, m: Memory): this =>
    this.encode({ mandatory: 0x66, opcode: [0x0f, 0x38, 0x82], reg: type, rm: m });

  fxsave = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 0, rm: m });
  fxrstor = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 1, rm: m });
  fxsave64 = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], size: 64, reg: 0, rm: m });
  fxrstor64 = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], size: 64, reg: 1, rm: m });
  ldmxcsr = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 2, rm: m });
  stmxcsr = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 3, rm: m });
  xsave = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 4, rm: m });
  xrstor = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 5, rm: m });
  xsaveopt = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 6, rm: m });
  xsavec = (m: Memory): this => this.encode({ opcode: [0x0f, 0xc7], reg: 4, rm: m });
  clflush = (m: Memory): this => this.encode({ opcode: [0x0f, 0xae], reg: 7, rm: m });

  cli = (): this => this.db(0xfa);
  sti = (): this => this.db(0xfb);
  hlt = (): this => this.db(0xf4);
  int3 = (): this => this.db(0xcc);
  int = (vector: number): this => this.db(0xcd, vector);
  into = (): this => this.db(0xce);
  /** IRET at the default size of the mode: 16 or 32 bits (64-bit code uses `iretq`). */
  iret = (): this => this.db(0xcf);
  iretq = (): this => this.plain(64, 0xcf);
  clts = (): this => this.db(0x0f, 0x06);
  syscall = (): this => this.db(0x0f, 0x05);
  /** SYSRET to 64-bit code (REX.W) or to compatibility mode. */
  sysret = (size: 32 | 64): this => (size === 64 ? this.db(0x48, 0x0f, 0x07) : this.db(0x0f, 0x07));
  sysenter = (): this => this.db(0x0f, 0x34);
  sysexit = (size: 32 | 64): this => (size === 64 ? this.db(0x48, 0x0f, 0x35) : this.db(0x0f, 0x35));
  swapgs = (): this => this.db(0x0f, 0x01, 0xf8);
  rdtscp = (): this => this.db(0x0f, 0x01, 0xf9);
  clac = (): this => this.db(0x0f, 0x01, 0xca);
  stac = (): this => this.db(0x0f, 0x01, 0xcb);
  monitor = (): this => this.db(0x0f, 0x01, 0xc8);
  mwait = (): this => this.db(0x0f, 0x01, 0xc9);
  xgetbv = (): this => this.db(0x0f, 0x01, 0xd0);
  xsetbv = (): this => this.db(0x0f, 0x01, 0xd1);
  wrmsr = (): this => this.db(0x0f, 0x30);
  rdmsr = (): this => this.db(0x0f, 0x32);
  rdtsc = (): this => this.db(0x0f, 0x31);
  cpuid = (): this => this.db(0x0f, 0xa2);
  wbinvd = (): this => this.db(0x0f, 0x09);
  invd = (): this => this.db(0x0f, 0x08);
  pause = (): this => this.db(0xf3, 0x90);
  lfence = (): this => this.db(0x0f, 0xae, 0xe8);
  mfence = (): this => this.db(0x0f, 0xae, 0xf0);
  rdfsbase = (d: Gpr): this => this.base(0, d);
  rdgsbase = (d: Gpr): this => this.base(1, d);
  wrfsbase = (d: Gpr): this => this.base(2, d);
  wrgsbase = (d: Gpr): this => this.base(3, d);

  /** MOV between a general and a control or debug register; the general one has the mode's natural size. */
  movSystem(d: Gpr | ControlOperand | DebugOperand, s: Gpr | ControlOperand | DebugOperand): this {
    const load = d.kind !== "gpr";
    const system = load ? d : s;
    const general = load ? s : d;
    if (system.kind === "gpr" || general.kind !== "gpr") throw new AsmError("one general register is needed");
    const opcode = (system.kind === "control" ? 0x20 : 0x21) | (load ? 2 : 0);
    return this.encode({ opcode: [0x0f, opcode], reg: system, rm: general });
  }

  movFromSegment(d: RegMem, s: SegmentOperand): this {
    return this.encode({ opcode: [0x8c], size: d.kind === "gpr" ? sizeOf(d) : 8, reg: s, rm: d });
  }

  movToSegment(d: SegmentOperand, s: RegMem): this {
    return this.encode({ opcode: [0x8e], reg: d, rm: s });
  }

  pushSegment(s: SegmentOperand): this {
    return s.code < 4 ? this.db(0x06 | (s.code << 3)) : this.db(0x0f, s.code === 4 ? 0xa0 : 0xa8);
  }

  popSegment(d: SegmentOperand): this {
    return d.code < 4 ? this.db(0x07 | (d.code << 3)) : this.db(0x0f, d.code === 4 ? 0xa1 : 0xa9);
  }

  /** LSS, LFS, LGS: a far pointer from memory. */
  loadFarPointer(segment: SegmentOperand, d: Gpr, m: Memory): this {
    const opcode = { ss: 0xb2, fs: 0xb4, gs: 0xb5 }[segment.name];
    if (opcode === undefined) throw new AsmError(`L${segment.name} is not supported`);
    return this.encode({ opcode: [0x0f, opcode], size: d.size, reg: d, rm: m });
  }

  /** JMP ptr16:16 or ptr16:32; an offset size other than the mode's takes a 0x66 prefix. Not in 64-bit code. */
  jmpFar(selector: number, offset: Immediate, size: 16 | 32 = this.mode === 16 ? 16 : 32): this {
    return this.farDirect(0xea, selector, offset, size);
  }

  callFar(selector: number, offset: Immediate, size: 16 | 32 = this.mode === 16 ? 16 : 32): this {
    return this.farDirect(0x9a, selector, offset, size);
  }

  /** JMP m16:16, m16:32 or m16:64: `size` is that of the offset. */
  jmpFarAt(m: Memory, size: 16 | 32 | 64): this {
    return this.encode({ opcode: [0xff], size, reg: 5, rm: m });
  }

  callFarAt(m: Memory, size: 16 | 32 | 64): this {
    return this.encode({ opcode: [0xff], size, reg: 3, rm: m });
  }

  retf(size: 16 | 32 | 64): this {
    return this.plain(size, 0xcb);
  }

  /** IN into AL, AX or EAX from a port number or DX. */
  in(size: 8 | 16 | 32, port: number | "dx"): this {
    const wide = size === 8 ? 0 : 1;
    if (port === "dx") return this.plain(size, 0xec | wide);
    return this.encode({ opcode: [0xe4 | wide], size, immediate: { value: port, bytes: 1 } });
  }

  out(size: 8 | 16 | 32, port: number | "dx"): this {
    const wide = size === 8 ? 0 : 1;
    if (port === "dx") return this.plain(size, 0xee | wide);
    return this.encode({ opcode: [0xe6 | wide], size, immediate: { value: port, bytes: 1 } });
  }

  outs(size: 8 | 16 | 32): this {
    return this.plain(size, size === 8 ? 0x6e : 0x6f);
  }

  ins(size: 8 | 16 | 32): this {
    return this.plain(size, size === 8 ? 0x6c : 0x6d);
  }

  private base(extension: number, d: Gpr): this {
    return this.encode({ mandatory: 0xf3, opcode: [0x0f, 0xae], size: d.size, reg: extension, rm: d });
  }

  private farDirect(opcode: number, selector: number, offset: Immediate, size: 16 | 32): this {
    if (this.mode === 64) throw new AsmError("64-bit code has no direct far transfer");
    this.encode({ opcode: [opcode], size, immediate: { value: offset, bytes: size === 16 ? 2 : 4 } });
    return this.dw(selector);
  }
}
