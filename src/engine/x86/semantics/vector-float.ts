/**
 * SSE floating point: every operation goes to the exact unit (sse-float.ts), which honours rounding, flags, DAZ, FTZ
 * and NaN rules. SDM vol. 2.
 */
import type { Operation } from "../operands.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte, usesMmx } from "./packed-integer.js";

const PLAIN = `addps addpd addss addsd subps subpd subss subsd mulps mulpd mulss mulsd divps divpd divss divsd
  minps minpd minss minsd maxps maxpd maxss maxsd sqrtps sqrtpd sqrtss sqrtsd rcpps rcpss rsqrtps rsqrtss
  haddps haddpd hsubps hsubpd addsubps addsubpd cvtss2sd cvtps2pd cvtsd2ss cvtpd2ps cvtdq2ps cvtdq2pd cvtps2dq
  cvttps2dq cvtpd2dq cvttpd2dq cvtpi2ps cvtpi2pd cvtps2pi cvttps2pi cvtpd2pi cvttpd2pi cmpps cmppd cmpss cmpsd
  roundps roundpd roundss roundsd dpps dppd`
  .trim()
  .split(/\s+/);

function execute(
  b: InstructionBuilder,
  operation: Operation,
  mnemonic: string,
): ReturnType<InstructionBuilder["i32"]> {
  const mmx = usesMmx(operation);
  if (mmx) b.checkMmx();
  const [destination, source, immediate] = operation.operands;
  const from = b.vectorAddress(source);
  const to = b.vectorAddress(destination);
  const flags = b.floatOperation(mnemonic, to, from, immediate ? immediateByte(b, immediate) : b.i32(0));
  if (mmx) b.enterMmx();
  if (destination.kind === "mmx") b.markMmx(to);
  return flags;
}

const compareToFlags: Semantics = (b, operation) =>
  b.setStatusFlags(execute(b, operation, operation.mnemonic));

/** Conversions between a general register of 32 or 64 bits and a scalar: the unit names them with the width. */
function general(general: "source" | "destination"): Semantics {
  return (b, operation) => {
    const [destination, source] = operation.operands;
    const width = (general === "source" ? source : destination).size * 8;
    execute(b, operation, `${operation.mnemonic}${width}`);
  };
}

export const VECTOR_FLOAT: SemanticsTable = {
  ...Object.fromEntries(
    PLAIN.map((mnemonic): [string, Semantics] => [
      mnemonic,
      (b, operation) => void execute(b, operation, mnemonic),
    ]),
  ),
  ucomiss: compareToFlags,
  ucomisd: compareToFlags,
  comiss: compareToFlags,
  comisd: compareToFlags,
  cvtsi2ss: general("source"),
  cvtsi2sd: general("source"),
  cvtss2si: general("destination"),
  cvtsd2si: general("destination"),
  cvttss2si: general("destination"),
  cvttsd2si: general("destination"),
};
