/** What is not compared of floating-point instructions, and why. */
import { EXTENDED_BIAS, X87_STATUS_BUSY, X87_STATUS_C1, X87_STATUS_SUMMARY } from "../../src/spec/x87.js";
import { FX } from "./case.js";
import { isFetchFault } from "./compare.js";
import type { Form } from "./form.js";
import type { Exemption, Finished, Ignored } from "./exemptions.js";
import { FX_AT, MEMORY_BYTES, RESULT } from "./layout.js";

const UNDERFLOW = 0x10;
const PRECISION = 0x20;
/** #SS and #GP. */
const NOT_CANONICAL = new Set([12, 13]);
const PAGE_FAULT = 14;
/** #SS, #GP, #PF and #AC. */
const MEMORY_FAULTS = new Set([12, 13, 14, 17]);
const REGISTER_STRIDE = 16;
const RESULTS = 2;

const named = (...names: string[]): ((form: { mnemonic: string }) => boolean) => {
  const set = new Set(names);
  return (form) => set.has(form.mnemonic);
};

const ENVIRONMENTS = named("fldenv", "fnstenv", "frstor", "fnsave");
/** Operands that are accessed in parts. */
const isInParts = (form: Form): boolean => ENVIRONMENTS(form) || / (f80|bcd),/.test(form.name);
const TRANSCENDENTAL = ["f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos"];

/** ST(index) as a number that counts units in the last place, and its sign. */
function position(record: DataView, index: number): { sign: number; units: bigint } {
  const at = FX_AT + FX.ST0 + REGISTER_STRIDE * index;
  const signExponent = record.getUint16(at + 8, true);
  const fraction = record.getBigUint64(at, true) & ((1n << 63n) - 1n);
  return { sign: signExponent >> 15, units: (BigInt(signExponent & 0x7fff) << 63n) | fraction };
}

/** Results that are one unit in the last place apart. */
function lastPlace({ host, ours }: Finished): Ignored {
  const ignored: Record<string, bigint> = {};
  for (let index = 0; index < RESULTS; index++) {
    const [h, o] = [position(host, index), position(ours, index)];
    const distance = h.units - o.units;
    if (h.sign !== o.sign || distance < -1n || distance > 1n) continue;
    ignored[`st${index}`] = ~0n;
    ignored[`st${index}e`] = ~0n;
  }
  return ignored;
}

/** Whether ST(0) was within ± 2^exponent before. */
function magnitudeBelow({ before }: Finished, limit: number): boolean {
  const at = FX_AT + FX.ST0;
  const exponent = (before.getUint16(at + 8, true) & 0x7fff) - EXTENDED_BIAS;
  const significand = Number(before.getBigUint64(at, true)) / 2 ** 63;
  return significand * 2 ** exponent <= limit;
}

/** Twice the relative error that RCP and RSQRT may have: ours and the host's. */
const APPROXIMATION = 2 * 1.5 * 2 ** -12;
const SMALLEST_NORMAL = 2 ** -126;
const XMM_BYTES = 256;

/** Whether two approximations may stand for the same result: close ones, or zero for what may count as tiny. */
function bothApproximate(a: number, b: number): boolean {
  const [less, more] = [Math.abs(a), Math.abs(b)].sort((x, y) => x - y);
  if (!Number.isFinite(more) || Math.sign(1 / a) !== Math.sign(1 / b)) return false;
  if (less === 0) return more <= SMALLEST_NORMAL * (1 + APPROXIMATION);
  return less >= SMALLEST_NORMAL && more - less <= APPROXIMATION * more;
}

/** Lanes of XMM registers that approximate the same number. Infinities, NaNs and other zeros are compared. */
function approximations({ host, ours }: Finished): Ignored {
  const ignored: Record<string, bigint> = {};
  for (let at = 0; at < XMM_BYTES; at += 4) {
    const [h, o] = [host, ours].map((record) => record.getFloat32(FX_AT + FX.XMM0 + at, true));
    if (!bothApproximate(h, o)) continue;
    const name = `xmm${at >> 4}${at & 8 ? "h" : "l"}`;
    ignored[name] = (ignored[name] ?? 0n) | (0xffffffffn << BigInt(8 * (at & 4)));
  }
  return ignored;
}

const MEMORY: Ignored = Object.fromEntries(
  Array.from({ length: MEMORY_BYTES / 8 }, (_, i) => [`mem+${8 * i}`, ~0n]),
);
const EXCEPTION: Ignored = { vector: ~0n, error: ~0n, cr2: ~0n };
const vectorOf = (record: DataView): number => record.getUint32(RESULT.VECTOR, true);
const ALL: Ignored = { "*": ~0n };

export const FLOAT_EXEMPTIONS: readonly Exemption[] = [
  {
    name: "x87 pointers",
    vendor: "AMD",
    why: "AMD's FXSAVE and XSAVE store zeros for FOP, FIP and FDP unless an exception is pending",
    forms: () => true,
    ignored: ({ host }) =>
      host.getUint16(FX_AT + FX.FSW, true) & X87_STATUS_SUMMARY
        ? undefined
        : { fop: 0xffffn, fip: ~0n, fdp: ~0n },
  },
  {
    name: "x87 opcode and data pointer",
    vendor: "Intel",
    why: "Intel's CPUs of today update FOP and FDP with unmasked exceptions only (CPUID.7.0:EBX.6); ours says otherwise",
    forms: () => true,
    ignored: ({ host }) =>
      host.getUint16(FX_AT + FX.FSW, true) & X87_STATUS_SUMMARY ? undefined : { fop: 0xffffn, fdp: ~0n },
  },
  {
    name: "x87 pointers that are not canonical",
    vendor: "AMD",
    why: "AMD extends the sign of FIP and FDP from bit 56 when it loads them, Intel FIP's from bit 47",
    forms: named("fxrstor", "xrstor"),
    ignored: () => ({ fip: 0xffffn << 48n, fdp: 0xffn << 56n }),
  },
  {
    name: "stores that an unmasked exception stops",
    vendor: "AMD",
    why: "AMD raises the fault of an operand that is not going to be stored; Intel asks for no memory then",
    forms: (f) => /^f(ist|st|bstp)/.test(f.mnemonic),
    ignored: ({ host, ours }) =>
      MEMORY_FAULTS.has(vectorOf(host)) &&
      (!MEMORY_FAULTS.has(vectorOf(ours)) || isFetchFault(ours)) &&
      ours.getUint16(FX_AT + FX.FSW, true) & X87_STATUS_SUMMARY
        ? ALL
        : undefined,
  },
  {
    name: "FDP of an address that is not canonical",
    vendor: "Intel",
    why: "exact there; ours is a double, which canonical addresses fit and which costs the fast path nothing",
    forms: (f) => /^f(ist|st|bstp)/.test(f.mnemonic),
    ignored: ({ host, ours }) =>
      host.getBigInt64(FX_AT + FX.FDP, true) >> 47n === ours.getBigInt64(FX_AT + FX.FDP, true) >> 47n &&
      ![0n, -1n].includes(host.getBigInt64(FX_AT + FX.FDP, true) >> 47n)
        ? { fdp: 0xfffn }
        : undefined,
  },
  {
    name: "approximations",
    why: "RCP and RSQRT may err by 1.5 × 2^-12 in either direction (SDM vol. 2)",
    forms: named("rcpps", "rcpss", "rsqrtps", "rsqrtss"),
    ignored: approximations,
  },
  {
    name: "transcendental instructions: last place",
    why: "results may err by one unit in the last place (SDM vol. 1 §8.3.10)",
    forms: named(...TRANSCENDENTAL),
    ignored: lastPlace,
  },
  {
    name: "transcendental instructions: inexact results",
    why: "whether a result counts as exact, and which way it was rounded, depends on how it was computed",
    forms: named(...TRANSCENDENTAL),
    ignored: () => ({
      fsw: BigInt(X87_STATUS_C1 | PRECISION | UNDERFLOW | X87_STATUS_SUMMARY | X87_STATUS_BUSY),
    }),
  },
  {
    name: "FYL2XP1 beyond 1 − √½",
    why: "the result is undefined",
    forms: named("fyl2xp1"),
    ignored: (c) => (magnitudeBelow(c, 1 - Math.SQRT1_2) ? undefined : ALL),
  },
  {
    name: "environments in absent pages: CR2 and partial stores",
    why: "which byte is reported, and what was stored before, is up to the CPU",
    forms: ENVIRONMENTS,
    ignored: (c) => (vectorOf(c.host) === PAGE_FAULT ? { cr2: 0xfffn, ...MEMORY } : undefined),
  },
  {
    name: "x87 operands that end beyond canonical addresses",
    why: "large ones are accessed in parts, of which the first may be in an absent page or not aligned",
    forms: isInParts,
    ignored: (c) => (c.form.mode === 64 && NOT_CANONICAL.has(vectorOf(c.ours)) ? EXCEPTION : undefined),
  },
];
