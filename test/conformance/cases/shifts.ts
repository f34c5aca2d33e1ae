/**
 * Shifts and rotations by CL, by 1 and by an immediate, at every size. A masked count of 0 must change no flag;
 * flags that the manual leaves undefined are not compared.
 */
import { GPRS, cl } from "../../support/asm/index.js";
import { STATUS, doubleShift, mask, merge, shift } from "../../support/model/flags.js";
import type { ShiftOp, Size } from "../../support/model/flags.js";
import type { Guest } from "../support/guest.js";
import { tableGuest } from "../support/table.js";
import type { Block, Row } from "../support/table.js";
import { SIZES, dirty } from "./alu.js";

const OPS: ShiftOp[] = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sar"];
const COUNTS = [0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 255];
const values = (size: Size): bigint[] => {
  const all = mask(size);
  return [0n, 1n, all, 1n << BigInt(size - 1), 0xa5a5a5a5a5a5a5a5n & all, 0x123456789abcdef1n & all];
};

function rowOf(op: ShiftOp, size: Size, value: bigint, count: number, flags: bigint): Row {
  const rax = dirty(size, value);
  const effect = shift(op, size, value, BigInt(count), flags);
  return {
    rax,
    rcx: BigInt(count) | 0x5500n,
    flags,
    want: { rax: merge(size, rax, effect.value), flags: effect.flags, defined: effect.defined },
  };
}

function blocks(op: ShiftOp, size: Size): Block[] {
  const [destination] = GPRS[size];
  const rows = (counts: number[]): Row[] =>
    values(size).flatMap((v) =>
      counts.flatMap((count) => [0n, STATUS].map((flags) => rowOf(op, size, v, count, flags))),
    );
  const byImmediate = [0, 3, size - 1, 0x41].map((count) => ({
    title: `${op}${size} by ${count}`,
    emit: (a: Parameters<Block["emit"]>[0]) => a[op](destination, count),
    rows: rows([count]),
  }));
  return [
    { title: `${op}${size} by CL`, emit: (a) => a[op](destination, cl), rows: rows(COUNTS) },
    { title: `${op}${size} by 1`, emit: (a) => a[op](destination, 1), rows: rows([1]) },
    ...byImmediate,
  ];
}

function doubleBlock(op: "shld" | "shrd", size: 16 | 32 | 64): Block {
  const rows: Row[] = [];
  for (const a of values(size)) {
    for (const b of [0n, 0x5a5a5a5a5a5a5a5an & mask(size), mask(size)]) {
      for (const count of COUNTS) {
        for (const flags of [0n, STATUS]) {
          const effect = doubleShift(op, size, a, b, BigInt(count), flags);
          if (!effect) continue;
          const rax = dirty(size, a);
          const want = { rax: merge(size, rax, effect.value), flags: effect.flags, defined: effect.defined };
          rows.push({ rax, rdx: b, rcx: BigInt(count), flags, want });
        }
      }
    }
  }
  return { title: `${op}${size}`, emit: (a) => a[op](GPRS[size][0], GPRS[size][2], cl), rows };
}

export function shiftGuests(): Guest[] {
  const simple = OPS.map((op) =>
    tableGuest(
      `${op.toUpperCase()} by CL, 1 and immediates at every size`,
      `SDM vol. 2, ${op.toUpperCase()}`,
      SIZES.flatMap((size) => blocks(op, size)),
    ),
  );
  const doubles = (["shld", "shrd"] as const).map((op) =>
    tableGuest(
      `${op.toUpperCase()} by CL at every size`,
      `SDM vol. 2, ${op.toUpperCase()}`,
      ([16, 32, 64] as const).map((size) => doubleBlock(op, size)),
    ),
  );
  return [...simple, ...doubles];
}
