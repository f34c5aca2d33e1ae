/**
 * The few x87, MMX and SSE instructions that conformance guests and the oracle need. Everything else is written
 * with `db` beside its assembly.
 *
 * Specification: Intel SDM vol. 2, opcode maps in appendix A.
 */
import { SystemAssembler } from "./system.js";
import type { Gpr, Memory, Mm, Xmm } from "./operands.js";

type Vector = Xmm | Mm;

export class VectorAssembler extends SystemAssembler {
  fninit = (): this => this.db(0xdb, 0xe3);
  fnclex = (): this => this.db(0xdb, 0xe2);
  fwait = (): this => this.db(0x9b);
  fld1 = (): this => this.db(0xd9, 0xe8);
  fldz = (): this => this.db(0xd9, 0xee);
  fldpi = (): this => this.db(0xd9, 0xeb);
  faddp = (): this => this.db(0xde, 0xc1);
  fmulp = (): this => this.db(0xde, 0xc9);
  /** FDIVP ST(1), ST(0): ST(1) ÷ ST(0). */
  fdivp = (): this => this.db(0xde, 0xf9);
  fnstswAx = (): this => this.db(0xdf, 0xe0);
  emms = (): this => this.db(0x0f, 0x77);
  fldcw = (m: Memory): this => this.encode({ opcode: [0xd9], reg: 5, rm: m });
  fnstcw = (m: Memory): this => this.encode({ opcode: [0xd9], reg: 7, rm: m });
  fnstsw = (m: Memory): this => this.encode({ opcode: [0xdd], reg: 7, rm: m });
  fld64 = (m: Memory): this => this.encode({ opcode: [0xdd], reg: 0, rm: m });
  fstp64 = (m: Memory): this => this.encode({ opcode: [0xdd], reg: 3, rm: m });
  fld80 = (m: Memory): this => this.encode({ opcode: [0xdb], reg: 5, rm: m });
  fstp80 = (m: Memory): this => this.encode({ opcode: [0xdb], reg: 7, rm: m });
  fild64 = (m: Memory): this => this.encode({ opcode: [0xdf], reg: 5, rm: m });
  fistp64 = (m: Memory): this => this.encode({ opcode: [0xdf], reg: 7, rm: m });

  movdqu(d: Xmm | Memory, s: Xmm | Memory): this {
    if (d.kind === "xmm") return this.encode({ mandatory: 0xf3, opcode: [0x0f, 0x6f], reg: d, rm: s });
    return this.encode({ mandatory: 0xf3, opcode: [0x0f, 0x7f], reg: s as Xmm, rm: d });
  }

  movdqa(d: Xmm | Memory, s: Xmm | Memory): this {
    if (d.kind === "xmm") return this.encode({ mandatory: 0x66, opcode: [0x0f, 0x6f], reg: d, rm: s });
    return this.encode({ mandatory: 0x66, opcode: [0x0f, 0x7f], reg: s as Xmm, rm: d });
  }

  /** MOVQ between a general register and XMM. */
  movq(d: Xmm | Gpr, s: Xmm | Gpr): this {
    const load = d.kind === "xmm";
    const [vector, general] = load ? [d, s] : [s, d];
    return this.encode({
      mandatory: 0x66,
      opcode: [0x0f, load ? 0x6e : 0x7e],
      size: 64,
      reg: vector,
      rm: general,
    });
  }

  /** A two-operand MMX or SSE2 integer operation, named by its opcode byte after 0F. */
  packed(opcode: number, d: Vector, s: Vector | Memory, immediate?: number): this {
    const prefix = d.kind === "xmm" ? { mandatory: 0x66 as const } : {};
    const tail = immediate === undefined ? {} : { immediate: { value: immediate, bytes: 1 as const } };
    return this.encode({ ...prefix, opcode: [0x0f, opcode], reg: d, rm: s, ...tail });
  }

  /** A shift of packed integers by an immediate: 0F 71, 72 or 73 with an extension. */
  packedShift(opcode: 0x71 | 0x72 | 0x73, extension: number, d: Vector, count: number): this {
    const prefix = d.kind === "xmm" ? { mandatory: 0x66 as const } : {};
    const immediate = { value: count, bytes: 1 as const };
    return this.encode({ ...prefix, opcode: [0x0f, opcode], reg: extension, rm: d, immediate });
  }

  /** A scalar double operation: F2 0F `opcode` (58 add, 59 mul, 5C sub, 5E div, 51 sqrt). */
  scalarDouble(opcode: number, d: Xmm, s: Xmm | Memory): this {
    return this.encode({ mandatory: 0xf2, opcode: [0x0f, opcode], reg: d, rm: s });
  }
}
