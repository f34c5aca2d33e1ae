/**
 * The generated half of the decoder: makes records of 64-bit code, one behind the other, of the kinds that templates.ts knows, and
 * stops before anything else, which the exact decoder decides (x86/decode.ts, record-encoder.ts). What has never run before is
 * decoded many times as fast as by functions that the JavaScript engine has never seen before either.
 *
 * Specification: Intel SDM vol. 2 chapter 2 (format of instructions).
 */
import { FunctionBuilder } from "../ir/function-builder.js";
import type { IrFunction, Label, Value, Variable } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import { MODE_CODE64 } from "../x86/mode.js";
import * as rec from "../x86/record.js";
import { isEntryOf, lookupEntry } from "./decode-lookup.js";
import * as templates from "./templates.js";

const NAME = "decodeQuickly";
/** Prefixes of an instruction; with more, it might be too long. */
const MOST_PREFIXES = 4;
const ESCAPE = 0x0f;
/** 0F 38 and 0F 3A lead to maps 2 and 3. */
const FURTHER = 0x38;
const FURTHER_MASK = 0xfd;
const FURTHER_BIT = 2;
const MAP_BITS = 8;
const ADDRESS_BYTES = 8;
const SLOT_ROW_SHIFT = 5;
const NO_INDEX = 4;
const SIB = 4;
const RIP_OR_NONE = 5;

/** An instruction while it is decoded; all are i32. */
interface Parts {
  /** Address of the next byte. */
  at: Variable;
  rex: Variable;
  prefix: Variable;
  /** Number of the segment, times 8. */
  segment: Variable;
  b: Variable;
  x: Variable;
  scale: Variable;
  displacement: Variable;
  /** How the address is formed, `EA_SIMPLE` without one. */
  ea: Variable;
  /** What the last byte is, one of `BYTE`. */
  kind: Variable;
}

class QuickDecoder {
  private readonly b = new FunctionBuilder(NAME, {
    parameters: ["i32", "i32", "i32", "i32", "i32"],
    results: ["i32"],
  });
  private readonly offset = this.b.variable(
    this.b.and(this.b.parameter(1), this.b.i32(layout.PAGE_SIZE - 1)),
  );
  private readonly record = this.b.variable(this.b.parameter(2));
  private readonly count = this.b.variable(this.b.i32(0));
  private readonly looks = this.b.variable(
    this.b.and(this.b.parameter(4), this.b.i32(templates.STATE_LOOKS)),
  );
  private readonly flow = this.b.variable(
    this.b.select(
      this.b.and(this.b.parameter(4), this.b.i32(templates.STATE_AFTER_CALL)),
      this.b.i32(templates.FLOW.calls),
      this.b.i32(templates.FLOW.on),
    ),
  );
  private readonly parts = this.makeParts();

  private makeParts(): Parts {
    const part = (): Variable => this.b.variable(this.b.i32(0));
    const [at, rex, prefix, segment, b, x, scale, displacement, ea, kind] = Array.from({ length: 10 }, part);
    return { at, rex, prefix, segment, b, x, scale, displacement, ea, kind };
  }

  build(): IrFunction {
    const { b } = this;
    b.block((stop) => b.loop((again) => this.one(stop, again)));
    const count = b.shl(b.get(this.count), b.i32(templates.DECODED.countShift));
    const flow = b.shl(b.get(this.flow), b.i32(templates.DECODED.flowShift));
    b.return(b.or(b.get(this.offset), b.or(count, flow)));
    return b.finish();
  }

  /** One instruction: on to the next one, or out. */
  private one(stop: Label, again: Label): void {
    const { b, parts } = this;
    const here = b.get(this.offset);
    const atEnd = b.geU(here, b.i32(layout.PAGE_SIZE));
    b.branchIf(b.or(b.geU(b.get(this.count), b.parameter(3)), atEnd), stop);
    const behind = b.sub(here, b.and(b.parameter(1), b.i32(layout.PAGE_SIZE - 1)));
    const ramOffset = b.add(b.parameter(1), behind);
    const start = b.add(b.parameter(0), behind);
    this.stopAtKnown(ramOffset, stop);
    this.prefixes(start, stop);
    const opcode = this.opcode(stop);
    const modrm = b.load("i32.load8_u", b.get(parts.at));
    const template = this.template(opcode, modrm, stop);
    const reg = b.or(field(b, modrm, 3), extension(b, b.get(parts.rex), 4, 1));
    this.operand(opcode, modrm, template);
    const value = this.immediate(template);
    const bytes = bitsOf(b, template, templates.IMMEDIATE_BYTES_SHIFT, templates.IMMEDIATE_BYTES_MASK);
    const length = b.add(b.sub(b.get(parts.at), start), bytes);
    const end = b.add(here, length);
    // What was read behind the page was not of this instruction, or it is the exact decoder's.
    b.branchIf(b.gtU(end, b.i32(layout.PAGE_SIZE)), stop);
    this.relativeToEnd(end, stop);
    b.if(b.eq(b.get(this.flow), b.i32(templates.FLOW.calls)), () => this.enter(ramOffset));
    this.store(template, reg, here, length);
    const extended = bitsOf(b, template, templates.IMMEDIATE_SHIFT, templates.IMMEDIATE_MASK);
    const relative = b.eq(extended, b.i32(templates.IMMEDIATE.relative));
    const target = b.add(value, b.extendU(b.select(relative, end, b.i32(0))));
    b.store("i64.store", b.get(this.record), target, rec.REC_IMMEDIATE);
    b.set(this.offset, end);
    b.set(this.count, b.add(b.get(this.count), b.i32(1)));
    b.set(this.record, b.add(b.get(this.record), b.i32(rec.RECORD_BYTES)));
    b.set(this.flow, bitsOf(b, template, templates.FLOW_SHIFT, templates.FLOW_MASK));
    b.set(this.looks, b.i32(1));
    const flow = b.get(this.flow);
    b.branchIf(b.or(b.eqz(flow), b.eq(flow, b.i32(templates.FLOW.calls))), again);
  }

  private stopAtKnown(ramOffset: Value, stop: Label): void {
    const { b } = this;
    const mode = b.i32(MODE_CODE64);
    b.if(b.get(this.looks), () => {
      const entry = lookupEntry(b, ramOffset, mode);
      b.branchIf(isEntryOf(b, entry, ramOffset, mode), stop);
    });
  }

  /** The record is where a call returns to: it is found there at once. */
  private enter(ramOffset: Value): void {
    const { b } = this;
    const mode = b.i32(MODE_CODE64);
    const entry = lookupEntry(b, ramOffset, mode);
    b.store("i32.store", entry, ramOffset);
    b.store("i32.store", entry, mode, 4);
    b.store("i32.store", entry, b.get(this.record), 8);
  }

  /** Reads prefixes; `kind` is that of the byte behind them. */
  private prefixes(start: Value, stop: Label): void {
    const { b, parts } = this;
    const { BYTE, PREFIX } = templates;
    b.set(parts.at, start);
    b.set(parts.rex, b.i32(0));
    b.set(parts.prefix, b.i32(PREFIX.none));
    b.set(parts.segment, b.i32(layout.SEGMENT_NONE * 8));
    b.loop((more) => {
      const byte = b.load("i32.load8_u", b.get(parts.at));
      const kind = b.load("i32.load8_u", byte, layout.BYTE_KINDS);
      b.set(parts.kind, kind);
      b.if(b.geU(kind, b.i32(BYTE.rex)), () => {
        b.set(parts.at, b.add(b.get(parts.at), b.i32(1)));
        b.branchIf(b.gtU(b.sub(b.get(parts.at), start), b.i32(MOST_PREFIXES)), stop);
        // REX counts only directly before the opcode.
        b.set(parts.rex, b.select(b.eq(kind, b.i32(BYTE.rex)), byte, b.i32(0)));
        this.choosing(kind, stop);
        b.if(b.and(b.geU(kind, b.i32(BYTE.fs)), b.leU(kind, b.i32(BYTE.gs))), () =>
          b.set(parts.segment, b.mul(b.sub(kind, b.i32(BYTE.fs - layout.FS)), b.i32(8))),
        );
        b.branch(more);
      });
    });
  }

  /** A prefix that chooses among forms, if it is one. Which of 66 and a repeat prefix does is the exact decoder's to know. */
  private choosing(kind: Value, stop: Label): void {
    const { b, parts } = this;
    const { BYTE, PREFIX } = templates;
    const before = b.get(parts.prefix);
    b.if(b.eq(kind, b.i32(BYTE.operand)), () => {
      b.branchIf(b.geU(before, b.i32(PREFIX.f2)), stop);
      b.set(parts.prefix, b.i32(PREFIX.operand));
    });
    b.if(b.or(b.eq(kind, b.i32(BYTE.f2)), b.eq(kind, b.i32(BYTE.f3))), () => {
      b.branchIf(b.eq(before, b.i32(PREFIX.operand)), stop);
      b.set(parts.prefix, b.sub(kind, b.i32(BYTE.f2 - PREFIX.f2)));
    });
  }

  /** Reads the opcode and gives its map and byte; `kind` is its. */
  private opcode(stop: Label): Value {
    const { b, parts } = this;
    const next = (): Value => {
      const byte = b.load("i32.load8_u", b.get(parts.at));
      b.set(parts.at, b.add(b.get(parts.at), b.i32(1)));
      return byte;
    };
    const opcode = b.variable(next());
    b.if(b.eq(b.get(opcode), b.i32(ESCAPE)), () => {
      b.set(opcode, b.or(next(), b.i32(1 << MAP_BITS)));
      const further = b.eq(b.and(b.get(opcode), b.i32(FURTHER_MASK)), b.i32(FURTHER));
      b.if(further, () => {
        const map = b.add(b.shrU(b.and(b.get(opcode), b.i32(FURTHER_BIT)), b.i32(1)), b.i32(2));
        b.set(opcode, b.or(next(), b.shl(map, b.i32(MAP_BITS))));
      });
      b.set(parts.kind, b.load("i32.load8_u", b.get(opcode), layout.BYTE_KINDS));
    });
    const exchanges = b.and(
      b.eq(b.get(opcode), b.i32(templates.NOP)),
      b.and(b.get(parts.rex), b.i32(templates.REX_B)),
    );
    b.branchIf(b.or(b.eqz(b.get(parts.kind)), exchanges), stop);
    return b.get(opcode);
  }

  private template(opcode: Value, modrm: Value, stop: Label): Value {
    const { b, parts } = this;
    const { KEY_SHIFT, PREFIX_SHIFT, WIDE_BIT, REGISTER_BIT, BYTE, MOD_REGISTER } = templates;
    const register = b.mul(b.geU(modrm, b.i32(MOD_REGISTER)), b.i32(REGISTER_BIT));
    const chosen = b.or(field(b, modrm, 3), register);
    const hasModrm = b.eq(b.get(parts.kind), b.i32(BYTE.modrm));
    const wide = extension(b, b.get(parts.rex), 8, Math.log2(WIDE_BIT) - 3);
    const prefix = b.shl(b.get(parts.prefix), b.i32(PREFIX_SHIFT));
    const low = b.or(b.or(wide, prefix), b.select(hasModrm, chosen, b.i32(0)));
    const number = b.or(b.shl(opcode, b.i32(KEY_SHIFT)), low);
    const template = b.load("i32.load", b.shl(number, b.i32(2)), layout.TEMPLATES);
    b.branchIf(b.geS(template, b.i32(0)), stop);
    return template;
  }

  /** What ModRM.rm or the opcode names: a register, or the parts of an address. */
  private operand(opcode: Value, modrm: Value, template: Value): void {
    const { b, parts } = this;
    const { BYTE, MOD_REGISTER } = templates;
    const rexB = extension(b, b.get(parts.rex), 1, 3);
    const row = bitsOf(b, template, templates.SLOT_B_SHIFT, templates.SLOT_MASK);
    b.set(parts.x, b.i32(layout.ZERO_SLOT));
    b.set(parts.scale, b.i32(0));
    b.set(parts.displacement, b.i32(0));
    b.set(parts.ea, b.i32(rec.EA_SIMPLE));
    b.if(
      b.eq(b.get(parts.kind), b.i32(BYTE.modrm)),
      () => {
        b.set(parts.at, b.add(b.get(parts.at), b.i32(1)));
        const rm = b.and(modrm, b.i32(7));
        b.if(
          b.geU(modrm, b.i32(MOD_REGISTER)),
          () => b.set(parts.b, this.slot(row, b.or(rm, rexB))),
          () => this.address(b.shrU(modrm, b.i32(6)), rm, rexB),
        );
      },
      () => b.set(parts.b, this.slot(row, b.or(b.and(opcode, b.i32(7)), rexB))),
    );
  }

  /** Slot of a register that is named in one of the ways of `SLOT`; byte registers with REX are as all others. */
  private slot(row: Value, number: Value): Value {
    const { b, parts } = this;
    const { SLOT } = templates;
    const low = b.and(b.eq(row, b.i32(SLOT.byte)), b.ne(b.get(parts.rex), b.i32(0)));
    const at = b.add(b.shl(b.sub(row, low), b.i32(SLOT_ROW_SHIFT)), b.shl(number, b.i32(1)));
    return b.load("i32.load16_u", at, layout.TEMPLATE_SLOTS);
  }

  private address(mod: Value, rm: Value, rexB: Value): void {
    const { b, parts } = this;
    const general = (number: Value): Value => b.add(b.shl(number, b.i32(3)), b.i32(layout.GPR));
    const base = b.variable(rm);
    b.if(b.eq(rm, b.i32(SIB)), () => {
      const sib = b.load("i32.load8_u", b.get(parts.at));
      b.set(parts.at, b.add(b.get(parts.at), b.i32(1)));
      const index = b.or(field(b, sib, 3), extension(b, b.get(parts.rex), 2, 2));
      b.if(b.ne(index, b.i32(NO_INDEX)), () => {
        b.set(parts.x, general(index));
        b.set(parts.scale, b.shrU(sib, b.i32(6)));
      });
      b.set(base, b.and(sib, b.i32(7)));
    });
    const absolute = b.and(b.eqz(mod), b.eq(b.get(base), b.i32(RIP_OR_NONE)));
    b.if(
      absolute,
      () => {
        const none = b.eq(rm, b.i32(SIB));
        b.set(parts.b, b.select(none, b.i32(layout.ZERO_SLOT), b.i32(layout.PAGE_RIP)));
      },
      () => b.set(parts.b, general(b.or(b.get(base), rexB))),
    );
    b.if(
      b.eq(mod, b.i32(1)),
      () => this.displacement("i32.load8_s", 1),
      () => b.if(b.or(absolute, b.eq(mod, b.i32(2))), () => this.displacement("i32.load", 4)),
    );
    const indexed = b.ne(b.get(parts.x), b.i32(layout.ZERO_SLOT));
    const based = b.ne(b.get(parts.segment), b.i32(layout.SEGMENT_NONE * 8));
    b.set(parts.ea, b.select(b.or(indexed, based), b.i32(rec.EA_FULL), b.i32(rec.EA_SIMPLE)));
  }

  private displacement(load: string, bytes: number): void {
    const { b, parts } = this;
    b.set(parts.displacement, b.load(load, b.get(parts.at)));
    b.set(parts.at, b.add(b.get(parts.at), b.i32(bytes)));
  }

  /** What RIP addresses begins behind the instruction, and is kept from the start of the page on; sums of more than 31 bits are rare. */
  private relativeToEnd(end: Value, stop: Label): void {
    const { b, parts } = this;
    b.if(b.eq(b.get(parts.b), b.i32(layout.PAGE_RIP)), () => {
      const named = b.get(parts.displacement);
      const sum = b.add(named, end);
      b.branchIf(b.ltS(sum, named), stop);
      b.set(parts.displacement, sum);
    });
  }

  /** The immediate, extended to an i64: all bytes from there on are read, and those above it shifted out. */
  private immediate(template: Value): Value {
    const { b, parts } = this;
    const { IMMEDIATE } = templates;
    const bytes = bitsOf(b, template, templates.IMMEDIATE_BYTES_SHIFT, templates.IMMEDIATE_BYTES_MASK);
    const extended = bitsOf(b, template, templates.IMMEDIATE_SHIFT, templates.IMMEDIATE_MASK);
    const spare = b.extendU(b.sub(b.i32(64), b.shl(bytes, b.i32(3))));
    const high = b.shl(b.load("i64.load", b.get(parts.at)), spare);
    const isUnsigned = b.eq(extended, b.i32(IMMEDIATE.unsigned));
    const value = b.select(isUnsigned, b.shrU(high, spare), b.shrS(high, spare));
    const without = b.extendU(b.eq(extended, b.i32(IMMEDIATE.one)));
    return b.select(bytes, value, without);
  }

  /** The record but for its immediate. */
  private store(template: Value, reg: Value, offset: Value, length: Value): void {
    const { b, parts } = this;
    const record = b.get(this.record);
    const prefix = b.get(parts.prefix);
    const repeats = b.geU(prefix, b.i32(templates.PREFIX.f2));
    const row = bitsOf(b, template, templates.SLOT_A_SHIFT, templates.SLOT_MASK);
    const halves = (low: Value, high: Value): Value => b.or(low, b.shl(high, b.i32(16)));
    const fourth = (byte: Value, at: number): Value => b.shl(byte, b.i32(at * 8));
    const op = b.and(template, b.i32(0xffff));
    b.store("i32.store", record, b.or(op, b.or(fourth(length, 2), fourth(b.get(parts.ea), 3))), rec.REC_OP);
    b.store("i32.store", record, halves(offset, this.slot(row, reg)), rec.REC_OFFSET);
    b.store("i32.store", record, halves(b.get(parts.b), b.get(parts.x)), rec.REC_B);
    const repeat = b.select(repeats, b.or(prefix, b.i32(0xf0)), b.i32(0));
    const low = b.or(b.get(parts.scale), fourth(b.get(parts.segment), 1));
    const misc = b.or(fourth(repeat, 2), fourth(b.i32(ADDRESS_BYTES), 3));
    b.store("i32.store", record, b.or(low, misc), rec.REC_SCALE);
    // The link behind it is nothing yet.
    b.store("i64.store", record, b.extendU(b.get(parts.displacement)), rec.REC_DISPLACEMENT);
  }
}

/** Three bits of a byte from bit `shift` on. */
function field(b: FunctionBuilder, byte: Value, shift: number): Value {
  return b.and(b.shrU(byte, b.i32(shift)), b.i32(7));
}

/** A bit of REX, shifted to the left. */
function extension(b: FunctionBuilder, rex: Value, bit: number, shift: number): Value {
  return b.shl(b.and(rex, b.i32(bit)), b.i32(shift));
}

function bitsOf(b: FunctionBuilder, word: Value, shift: number, mask: number): Value {
  return b.and(b.shrU(word, b.i32(shift)), b.i32(mask));
}

/** The function of that name. */
export function quickDecoder(): IrFunction {
  return new QuickDecoder().build();
}
