/**
 * MUL, IMUL, DIV, IDIV at every size: products of both halves, quotients and remainders, and #DE exactly where the
 * quotient does not fit.
 */
import { GPRS, al, cl, eax, ecx, rax, rcx, rdx } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { CF, OF, STATUS, mask, merge, signed } from "../../support/model/flags.js";
import type { Size } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import { tableGuest } from "../support/table.js";
import type { Block, Row } from "../support/table.js";
import { SIZES, corners, dirty } from "./alu.js";

const VECTOR_DE = 0;

/** The registers after a double-width product or a quotient pair: AX for bytes, RDX:RAX otherwise. */
function halves(
  size: Size,
  rax: bigint,
  rdx: bigint,
  low: bigint,
  high: bigint,
): { rax: bigint; rdx: bigint } {
  if (size === 8) return { rax: merge(16, rax, (high << 8n) | low), rdx };
  return { rax: merge(size, rax, low), rdx: merge(size, rdx, high) };
}

function productRow(op: "mul" | "imul1", size: Size, a: bigint, b: bigint): Row {
  const [x, y] = op === "mul" ? [a, b] : [signed(size, a), signed(size, b)];
  const product = x * y;
  const low = product & mask(size);
  const high = (product >> BigInt(size)) & mask(size);
  const fits = op === "mul" ? high === 0n : signed(size, low) === product;
  const before = { rax: dirty(size, a), rdx: 0x1111222233334444n };
  return {
    ...before,
    rcx: dirty(size, b),
    flags: 0n,
    want: {
      ...halves(size, before.rax, before.rdx, low, high),
      flags: fits ? 0n : CF | OF,
      defined: CF | OF,
    },
  };
}

function productBlock(op: "mul" | "imul1", size: Size): Block {
  const rows = corners(size).flatMap((a) => corners(size).map((b) => productRow(op, size, a, b)));
  return { title: `${op}${size}`, emit: (x: Assembler) => x[op](GPRS[size][1]), rows };
}

function imulBlocks(size: 16 | 32 | 64): Block[] {
  const [destination, , source] = GPRS[size];
  const row = (a: bigint, b: bigint): Row => {
    const product = signed(size, a) * signed(size, b);
    const fits = signed(size, product) === product;
    const rax = dirty(size, 7n);
    const want = {
      rax: merge(size, rax, product & mask(size)),
      flags: fits ? 0n : CF | OF,
      defined: CF | OF,
    };
    return { rax, rdx: dirty(size, a), rcx: b, flags: 0n, want };
  };
  const immediates = [0, 1, -1, 127, -128, 128, 0x7fff, -0x8000];
  const byImmediate = immediates.map((value) => ({
    title: `imul${size} by ${value}`,
    emit: (x: Assembler) => x.imul3(destination, source, value),
    rows: corners(size).map((a) => row(a, BigInt.asUintN(size, BigInt(value)))),
  }));
  const twoOperand: Block = {
    title: `imul${size} r, r`,
    emit: (x) => x.mov(destination, source).imul(destination, GPRS[size][1]),
    rows: corners(size).flatMap((a) => corners(size).map((b) => row(a, b))),
  };
  return [twoOperand, ...byImmediate];
}

/** Quotient rounded towards zero and remainder with the dividend's sign, or undefined for #DE. */
function divide(
  op: "div" | "idiv",
  size: Size,
  high: bigint,
  low: bigint,
  by: bigint,
): [bigint, bigint] | undefined {
  const wide = (high << BigInt(size)) | low;
  const isSigned = op === "idiv";
  const dividend = isSigned ? BigInt.asIntN(2 * size, wide) : wide;
  const divisor = isSigned ? signed(size, by) : by;
  if (divisor === 0n) return undefined;
  const quotient = dividend / divisor;
  const fits = isSigned ? signed(size, quotient) === quotient : quotient <= mask(size);
  return fits ? [quotient & mask(size), (dividend % divisor) & mask(size)] : undefined;
}

function divideBlock(op: "div" | "idiv", size: Size): Block {
  const rows: Row[] = [];
  for (const high of corners(size)) {
    for (const low of corners(size)) {
      for (const by of corners(size)) {
        const result = divide(op, size, high, low, by);
        if (!result || rows.length >= 200) continue;
        const rax = size === 8 ? dirty(16, (high << 8n) | low) : dirty(size, low);
        const rdx = size === 8 ? 0x1111222233334444n : dirty(size, high);
        const want = { ...halves(size, rax, rdx, ...result), flags: 0n, defined: 0n };
        rows.push({ rax, rdx, rcx: dirty(size, by), flags: STATUS, want });
      }
    }
  }
  return { title: `${op}${size}`, emit: (x: Assembler) => x[op](GPRS[size][1]), rows };
}

/** #DE leaves registers as they were and pushes the RIP of the instruction. */
function divideErrors(g: GuestBuilder, lowest: boolean): void {
  prologue(g.a);
  const fails = (op: "div" | "idiv", size: Size, high: bigint, low: bigint, by: bigint): void => {
    const rest = size === 8 ? (high << 8n) | low : low;
    g.a.mov(rax, rest).mov(rdx, size === 8 ? 0x77n : high);
    g.a.mov(rcx, by);
    g.fault(
      {
        vector: VECTOR_DE,
        note: `${op}${size} ${high.toString(16)}:${low.toString(16)} / ${by.toString(16)}`,
      },
      (a) => a[op](GPRS[size][1]),
    );
    g.expect(rax, rest, `${op}${size}: RAX is kept`);
    g.expect(rdx, size === 8 ? 0x77n : high, `${op}${size}: RDX is kept`);
  };
  for (const size of SIZES) {
    const top = 1n << BigInt(size - 1);
    fails("div", size, 0n, 5n, 0n);
    fails("idiv", size, 0n, 5n, 0n);
    fails("div", size, 1n, 0n, 1n);
    fails("div", size, 5n, mask(size), 5n);
    fails("idiv", size, mask(size), top, mask(size));
    fails("idiv", size, 0n, top, 1n);
    if (lowest) fails("idiv", size, top, 0n, mask(size));
  }
  g.exit();
}

export function multiplyGuests(): Guest[] {
  const blocks = (op: "mul" | "imul1"): Block[] => SIZES.map((size) => productBlock(op, size));
  return [
    tableGuest("MUL: both halves, CF and OF", "SDM vol. 2, MUL", blocks("mul")),
    tableGuest("IMUL with one operand: both halves, CF and OF", "SDM vol. 2, IMUL", blocks("imul1")),
    tableGuest(
      "IMUL with two and three operands truncates and says so",
      "SDM vol. 2, IMUL",
      ([16, 32, 64] as const).flatMap(imulBlocks),
    ),
    tableGuest(
      "DIV: quotient and remainder",
      "SDM vol. 2, DIV",
      SIZES.map((s) => divideBlock("div", s)),
    ),
    tableGuest(
      "IDIV: quotient and remainder",
      "SDM vol. 2, IDIV",
      SIZES.map((s) => divideBlock("idiv", s)),
    ),
    guest(
      "DIV and IDIV raise #DE where the quotient does not fit",
      { cites: "SDM vol. 3A §6.15, #DE" },
      (g) => divideErrors(g, false),
    ),
    guest(
      "IDIV of the most negative dividend by -1 raises #DE",
      { cites: "SDM vol. 3A §6.15, #DE", notOnQemu: "QEMU 7.2 itself dies of SIGFPE here; the SDM is right" },
      (g) => divideErrors(g, true),
    ),
    guest("DIV by zero of a byte register keeps AH", { cites: "SDM vol. 2, DIV" }, (g) => {
      prologue(g.a);
      g.a.mov(eax, 0x1234).xor(ecx, ecx);
      g.fault({ vector: VECTOR_DE }, (a) => a.div(cl));
      g.expect(eax, 0x1234, "AX is kept");
      g.a.mov(al, 1);
      g.exit();
    }),
  ];
}
