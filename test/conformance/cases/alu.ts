/**
 * Flags and results of the two-operand and one-operand integer instructions, at every operand size, over corner
 * values. Expected results come from the model, which is written from the manual.
 */
import { GPRS } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { AF, CF, OF, PF, SF, STATUS, ZF, alu, mask, merge, unary } from "../../support/model/flags.js";
import type { AluOp, Effect, Size, UnaryOp } from "../../support/model/flags.js";
import type { Guest } from "../support/guest.js";
import { tableGuest } from "../support/table.js";
import type { Block, Row } from "../support/table.js";

export const SIZES: Size[] = [8, 16, 32, 64];
const ALU_OPS: AluOp[] = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test"];
const UNARY_OPS: UnaryOp[] = ["inc", "dec", "neg", "not"];
/** Bits above the operand, to see what an instruction keeps. */
export const JUNK = 0xdeadbeefcafef00dn;

/** Values around every sign and carry boundary of a size. */
export function corners(size: Size): bigint[] {
  const all = mask(size);
  const top = 1n << BigInt(size - 1);
  return [0n, 1n, 0xfn, 0x10n, top - 1n, top, top + 1n, all - 1n, all];
}

/** The operand at its size with junk above. */
export const dirty = (size: Size, value: bigint): bigint => (JUNK & ~mask(size)) | value;

function row(size: Size, a: bigint, b: bigint, flags: bigint, effect: Effect, writes: boolean): Row {
  const rax = dirty(size, a);
  const rdx = dirty(size, b);
  return {
    rax,
    rdx,
    flags,
    want: {
      rax: writes ? merge(size, rax, effect.value) : rax,
      rdx,
      flags: effect.flags,
      defined: effect.defined,
    },
  };
}

function aluBlock(op: AluOp, size: Size): Block {
  const rows: Row[] = [];
  const writes = op !== "cmp" && op !== "test";
  for (const a of corners(size)) {
    for (const b of corners(size)) {
      for (const flags of [0n, STATUS]) rows.push(row(size, a, b, flags, alu(op, size, a, b, flags), writes));
    }
  }
  const [destination, , source] = GPRS[size];
  return { title: `${op}${size}`, emit: (x: Assembler) => x[op](destination, source), rows };
}

function unaryBlock(op: UnaryOp, size: Size): Block {
  const rows: Row[] = [];
  for (const a of corners(size)) {
    for (const flags of [0n, CF, STATUS]) rows.push(row(size, a, 0n, flags, unary(op, size, a, flags), true));
  }
  return { title: `${op}${size}`, emit: (x: Assembler) => x[op](GPRS[size][0]), rows };
}

/** Flag instructions that name their flag. */
function flagBlocks(): Block[] {
  const blocks: Block[] = [];
  const add = (title: string, emit: (a: Assembler) => unknown, effect: (flags: bigint) => bigint): void => {
    const rows = [0n, CF, STATUS].map((flags) => ({
      rax: 0n,
      flags,
      want: { flags: effect(flags), defined: STATUS },
    }));
    blocks.push({ title, emit, rows });
  };
  add(
    "clc",
    (a) => a.clc(),
    (f) => f & ~CF,
  );
  add(
    "stc",
    (a) => a.stc(),
    (f) => f | CF,
  );
  add(
    "cmc",
    (a) => a.cmc(),
    (f) => f ^ CF,
  );
  const low = SF | ZF | AF | PF | CF;
  const sahf = [0x00n, 0xd5n, 0xffn, 0x41n].map((ah) => ({
    rax: ah << 8n,
    flags: OF,
    want: { flags: (ah & low) | OF, defined: STATUS },
  }));
  blocks.push({ title: "sahf", emit: (a) => a.sahf(), rows: sahf });
  const lahf = [0n, STATUS, ZF, SF | CF].map((flags) => ({
    rax: 0n,
    flags,
    want: { rax: ((flags & low) | 2n) << 8n, flags, defined: STATUS },
  }));
  blocks.push({ title: "lahf", emit: (a) => a.lahf(), rows: lahf });
  return blocks;
}

export function aluGuests(): Guest[] {
  const guests = ALU_OPS.map((op) =>
    tableGuest(`${op.toUpperCase()}: result and flags at every size`, `SDM vol. 2, ${op.toUpperCase()}`, [
      ...SIZES.map((size) => aluBlock(op, size)),
    ]),
  );
  const unaries = UNARY_OPS.map((op) =>
    tableGuest(`${op.toUpperCase()}: result and flags at every size`, `SDM vol. 2, ${op.toUpperCase()}`, [
      ...SIZES.map((size) => unaryBlock(op, size)),
    ]),
  );
  return [
    ...guests,
    ...unaries,
    tableGuest("CLC, STC, CMC, LAHF, SAHF change what they name", "SDM vol. 1 §7.3.14", flagBlocks()),
  ];
}
