/**
 * SSE floating point: every operation has the exact unit (sse-float.ts), which honours rounding, flags, DAZ, FTZ and
 * NaN rules; scalars first try the quick path of scalar-float.ts. SDM vol. 2.
 */
import type { Value } from "../../ir/ir.js";
import type { Operation } from "../operands.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte, usesMmx } from "./packed-integer.js";
import { exactIntegerToDouble, quickCompare, quickScalar, quickTruncate } from "./scalar-float.js";

const PLAIN = `addps addpd addss addsd subps subpd subss subsd mulps mulpd mulss mulsd divps divpd divss divsd
  minps minpd minss minsd maxps maxpd maxss maxsd sqrtps sqrtpd sqrtss sqrtsd rcpps rcpss rsqrtps rsqrtss
  haddps haddpd hsubps hsubpd addsubps addsubpd cvtss2sd cvtps2pd cvtsd2ss cvtpd2ps cvtdq2ps cvtdq2pd cvtps2dq
  cvttps2dq cvtpd2dq cvttpd2dq cvtpi2ps cvtpi2pd cvtps2pi cvttps2pi cvtpd2pi cvttpd2pi cmpps cmppd cmpss cmpsd
  roundps roundpd roundss roundsd dpps dppd`
  .trim()
  .split(/\s+/);

interface Addresses {
  to: Value;
  from: Value;
}

/** Host addresses of both operands, the source's translated first. */
function addresses(b: InstructionBuilder, operation: Operation): Addresses {
  const [destination, source] = operation.operands;
  const from = b.vectorAddress(source);
  return { to: b.vectorAddress(destination), from };
}

function execute(b: InstructionBuilder, operation: Operation, mnemonic: string): Value {
  const mmx = usesMmx(operation);
  if (mmx) b.checkMmx();
  const { to, from } = addresses(b, operation);
  const [destination, , immediate] = operation.operands;
  const flags = b.floatOperation(mnemonic, to, from, immediate ? immediateByte(b, immediate) : b.i32(0));
  if (mmx) b.enterMmx();
  if (destination.kind === "mmx") b.markMmx(to);
  return flags;
}

type Kind = "ss" | "sd";

function arithmetic(name: "add" | "sub" | "mul" | "div", kind: Kind): Semantics {
  return (b, operation) => {
    const { to, from } = addresses(b, operation);
    quickScalar(b, name, kind, to, from, () => void b.floatOperation(`${name}${kind}`, to, from, b.i32(0)));
  };
}

function compareToFlags(kind: Kind): Semantics {
  return (b, operation) => {
    const { to, from } = addresses(b, operation);
    quickCompare(b, kind, to, from, () =>
      b.setStatusFlags(b.floatOperation(operation.mnemonic, to, from, b.i32(0))),
    );
  };
}

/** Conversions between a general register of 32 or 64 bits and a scalar: the unit names them with the width. */
function fromGeneral(b: InstructionBuilder, operation: Operation): void {
  const [, source] = operation.operands;
  if (operation.mnemonic === "cvtsi2sd" && source.size === 4) {
    const { to, from } = addresses(b, operation);
    return exactIntegerToDouble(b, to, from);
  }
  execute(b, operation, `${operation.mnemonic}${source.size * 8}`);
}

function toGeneral(b: InstructionBuilder, operation: Operation): void {
  execute(b, operation, `${operation.mnemonic}${operation.operands[0].size * 8}`);
}

function truncateToGeneral(kind: Kind): Semantics {
  return (b, operation) => {
    const { size } = operation.operands[0];
    const { to, from } = addresses(b, operation);
    quickTruncate(b, kind, size, to, from, () => {
      b.floatOperation(`${operation.mnemonic}${size * 8}`, to, from, b.i32(0));
    });
  };
}

const QUICK: SemanticsTable = Object.fromEntries(
  (["ss", "sd"] as const).flatMap((kind) =>
    (["add", "sub", "mul", "div"] as const).map((name): [string, Semantics] => [
      `${name}${kind}`,
      arithmetic(name, kind),
    ]),
  ),
);

export const VECTOR_FLOAT: SemanticsTable = {
  ...Object.fromEntries(
    PLAIN.map((mnemonic): [string, Semantics] => [
      mnemonic,
      (b, operation) => void execute(b, operation, mnemonic),
    ]),
  ),
  ...QUICK,
  ucomiss: compareToFlags("ss"),
  ucomisd: compareToFlags("sd"),
  comiss: compareToFlags("ss"),
  comisd: compareToFlags("sd"),
  cvtsi2ss: fromGeneral,
  cvtsi2sd: fromGeneral,
  cvtss2si: toGeneral,
  cvtsd2si: toGeneral,
  cvttss2si: truncateToGeneral("ss"),
  cvttsd2si: truncateToGeneral("sd"),
};
