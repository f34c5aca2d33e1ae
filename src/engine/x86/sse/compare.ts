/**
 * SSE comparisons: to lane masks (CMPPS and its kin) and to EFLAGS (COMISS, UCOMISS and their double forms).
 *
 * Specification: Intel SDM vol. 2 CMPPS (table of predicates), COMISS, UCOMISS.
 */
import { binaryCompare } from "../softfloat/binary.js";
import { EQUAL, GREATER, LESS, UNORDERED, eflagsOf, type Relation } from "../softfloat/compare.js";
import { isPlain } from "../softfloat/native.js";
import type { Run } from "./arithmetic.js";
import type { Lane, SseContext } from "./context.js";

/** The relation of two lanes. */
function relation(context: SseContext, lane: Lane, at: number, quietIsInvalid: boolean): Relation {
  const { view, env } = context;
  const a = lane.readNumber(view, context.a + at);
  const b = lane.readNumber(view, context.b + at);
  const { width } = lane.format;
  if (isPlain(a, width) && isPlain(b, width)) return a < b ? LESS : a > b ? GREATER : EQUAL;
  return binaryCompare(
    lane.format,
    lane.read(view, context.a + at),
    lane.read(view, context.b + at),
    quietIsInvalid,
    env,
  );
}

/** The eight predicates: which relations satisfy them, and whether a quiet NaN is invalid. */
const PREDICATES: readonly { holds: readonly Relation[]; signals: boolean }[] = [
  { holds: [EQUAL], signals: false },
  { holds: [LESS], signals: true },
  { holds: [LESS, EQUAL], signals: true },
  { holds: [UNORDERED], signals: false },
  { holds: [LESS, GREATER, UNORDERED], signals: false },
  { holds: [EQUAL, GREATER, UNORDERED], signals: true },
  { holds: [GREATER, UNORDERED], signals: true },
  { holds: [LESS, EQUAL, GREATER], signals: false },
];
const PREDICATE_BITS = 7;

/** CMPPS and its kin: all ones in lanes where the predicate holds, else zero. */
export function compareLanes(lane: Lane, count: number): Run {
  return (context) => {
    const { holds, signals } = PREDICATES[context.imm & PREDICATE_BITS];
    const ones = (1n << BigInt(lane.format.width)) - 1n;
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      lane.write(context.result, at, holds.includes(relation(context, lane, at, signals)) ? ones : 0n);
    }
  };
}

/** COMISS (`quietIsInvalid`) and UCOMISS: ZF, PF and CF. */
export function compareToEflags(lane: Lane, quietIsInvalid: boolean): Run {
  return (context) => {
    context.eflags = eflagsOf(relation(context, lane, 0, quietIsInvalid));
  };
}
