/**
 * Whether a CPU can be in a state that comes from a file (R6.2): its registers hold what this CPU's features let them hold, and
 * its mode contradicts itself nowhere. Modelled on what hardware asks of a guest's state before it enters it, less what this
 * engine has no need of: it executes from descriptor registers as they are, whatever limit and granularity say of each other.
 *
 * Specification: Intel SDM vol. 3C §26.3.1 (checks on the guest state area); vol. 3A §2.5, §3.3.7.1, §4.1.1, §4.4.1.
 */
import { FXSAVE } from "../../spec/fxsave.js";
import { hex } from "../../bytes/hex.js";
import { list, record, refine, ShapeError, u32, whole, type Fault, type Shape } from "../../bytes/shape.js";
import * as X from "../../spec/x86-privileged.js";
import type { CpuidLeaf } from "../../x86/cpuid.js";
import { cpuStateShape } from "../../x86/cpu-state-shape.js";
import { SEGMENT_NAMES, type CpuState } from "../../x86/cpu-state.js";
import { reservedPhysicalHigh } from "./cpu-context.js";
import type { Translations } from "../contract.js";
import { ACCESS_MODES, ITLB_ENTRIES, LARGE_REGION_ENTRIES, MONITOR_LINE, TLB_ENTRIES } from "./layout.js";
import { allowedCr4 } from "./system/control-registers.js";
import { CpuidTable } from "./system/cpuid-rows.js";
import { acceptsValue, featureShows, type CpuFacts } from "./system/msr-rules.js";
import { MSR_SLOTS, TABLE_MSRS } from "./system/msr-storage.js";
import { allowedEfer } from "./system/msr.js";
import { acceptsPdpte } from "./system/pdptes.js";
import { validXcr0 } from "./system/xsave-instructions.js";

const TWO_32 = 1n << 32n;
const LOW_32 = TWO_32 - 1n;
const LINEAR_BITS = 48;
const PHYSICAL_BITS = 52n;
const REAL_LIMIT = 0xffff;
const RFLAGS_EXISTING = BigInt((X.FLAGS_STATUS | X.FLAGS_SYSTEM | X.FLAG_ALWAYS) >>> 0);
/** Segments whose bases have 64 bits; those of the others have 32. */
const WIDE_BASES: readonly string[] = ["fs", "gs", "ldtr", "tr"];

function has(value: bigint, mask: number): boolean {
  return (value & BigInt(mask >>> 0)) !== 0n;
}

function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(LINEAR_BITS, address)) === address;
}

function fault(at: string, value: number | bigint | boolean, expected: string): Fault {
  return { at, found: typeof value === "boolean" ? String(value) : hex(value), expected };
}

/** Whether CR0, CR4 and EFER mean PAE paging with entries that the CPU keeps. */
function keepsPdptes({ cr0, cr4, efer }: CpuState): boolean {
  return has(cr0, X.CR0_PG) && has(cr4, X.CR4_PAE) && !has(efer, X.EFER_LME);
}

function* controlFaults(state: CpuState, facts: CpuFacts): Generator<Fault> {
  const { cr0, cr3, cr4, efer } = state;
  if (cr0 & ~BigInt(X.CR0_DEFINED >>> 0)) yield fault(".cr0", cr0, "no reserved bit");
  if (has(cr0, X.CR0_PG) && !has(cr0, X.CR0_PE)) yield fault(".cr0", cr0, "PE with PG");
  if (has(cr0, X.CR0_NW) && !has(cr0, X.CR0_CD)) yield fault(".cr0", cr0, "CD with NW");
  if (cr4 & ~BigInt(allowedCr4(facts))) yield fault(".cr4", cr4, "bits of features that CPUID shows");
  if (cr3 >> PHYSICAL_BITS || Number(cr3 >> 32n) & facts.reservedPhysicalHigh)
    yield fault(".cr3", cr3, "a physical address");
  if (efer & ~BigInt(allowedEfer(facts))) yield fault(".efer", efer, "bits of features that CPUID shows");
  const active = has(efer, X.EFER_LMA);
  if (active !== (has(efer, X.EFER_LME) && has(cr0, X.CR0_PG)))
    yield fault(".efer", efer, "LMA with LME and CR0.PG, and only then");
  if (active && !has(cr4, X.CR4_PAE)) yield fault(".cr4", cr4, "PAE in IA-32e mode");
  if (!active && has(cr4, X.CR4_PCIDE)) yield fault(".cr4", cr4, "no PCIDE outside IA-32e mode");
}

function* segmentFaults(state: CpuState): Generator<Fault> {
  for (const name of [...SEGMENT_NAMES, "ldtr", "tr"] as const) {
    const { base } = state[name];
    const fits = WIDE_BASES.includes(name) ? isCanonical(base) : base < TWO_32;
    if (!fits) yield fault(`.${name}.base`, base, "a linear address");
  }
  const { access } = state.cs;
  const virtual = has(state.rflags, X.FLAG_VM);
  if (access & X.ACCESS_UNUSABLE) yield fault(".cs.access", access, "a segment that can be used");
  if (has(state.efer, X.EFER_LMA) && access & X.ACCESS_L && access & X.ACCESS_DB)
    yield fault(".cs.access", access, "L or D, not both");
  if (has(state.cr0, X.CR0_PE) && !virtual && !(access & X.ACCESS_P))
    yield fault(".cs.access", access, "a segment that is present");
}

/** Segments are as in real mode (vol. 3B §21.2.1). */
function* virtualFaults(state: CpuState): Generator<Fault> {
  const { rflags, cr0, efer } = state;
  if (!has(rflags, X.FLAG_VM)) return;
  if (!has(cr0, X.CR0_PE) || has(efer, X.EFER_LMA))
    yield fault(".rflags", rflags, "VM in protected mode only");
  for (const name of SEGMENT_NAMES) {
    const { selector, base, limit } = state[name];
    if (base !== BigInt(selector) << 4n) yield fault(`.${name}.base`, base, "16 times the selector");
    if (limit !== REAL_LIMIT) yield fault(`.${name}.limit`, limit, "64 KiB in virtual-8086 mode");
  }
}

function* pointerFaults(state: CpuState): Generator<Fault> {
  const code64 = has(state.efer, X.EFER_LMA) && (state.cs.access & X.ACCESS_L) !== 0;
  if (code64 ? !isCanonical(state.rip) : state.rip >= TWO_32)
    yield fault(".rip", state.rip, "an address of this mode");
  for (const table of ["gdtr", "idtr"] as const)
    if (!isCanonical(state[table].base)) yield fault(`.${table}.base`, state[table].base, "a linear address");
  if (state.rflags & ~RFLAGS_EXISTING) yield fault(".rflags", state.rflags, "no reserved bit");
  if (!has(state.rflags, X.FLAG_ALWAYS)) yield fault(".rflags", state.rflags, "bit 1 set");
}

function* debugFaults({ dr }: CpuState): Generator<Fault> {
  for (const unused of [4, 5]) if (dr[unused] !== 0n) yield fault(`.dr[${unused}]`, dr[unused], "0x0");
  const [dr6, dr7] = [dr[6], dr[7]];
  const free = ~BigInt(X.DR6_WRITABLE);
  if ((dr6 & free) !== BigInt(X.DR6_ONES)) yield fault(".dr[6]", dr6, "reserved bits as they are");
  if (dr7 >= TWO_32 || has(dr7, X.DR7_ZEROS) || !has(dr7, X.DR7_ONES))
    yield fault(".dr[7]", dr7, "reserved bits as they are");
}

function* msrFaults({ msrs }: CpuState, facts: CpuFacts): Generator<Fault> {
  for (const [name, value] of Object.entries(msrs)) {
    const index = Number(name);
    const at = `.msrs.${name}`;
    if (!(MSR_SLOTS.has(index) || TABLE_MSRS.has(index)) || !featureShows(facts, index))
      yield fault(at, value, "no such register");
    else if (!acceptsValue(facts, index, Number(value & LOW_32), Number(value >> 32n)))
      yield fault(at, value, "a value that the register takes");
  }
}

function* hiddenFaults(state: CpuState, facts: CpuFacts): Generator<Fault> {
  const { xcr0 = 1n, fxsave, ymmUpper, pdptes, monitor } = state;
  if (xcr0 !== 1n && !validXcr0(facts, Number(xcr0)))
    yield fault(".xcr0", xcr0, "components that CPUID shows");
  if (fxsave !== undefined) {
    const mxcsr = new DataView(fxsave.buffer, fxsave.byteOffset).getUint32(FXSAVE.MXCSR, true);
    if (mxcsr & ~X.MXCSR_MASK) yield fault(".fxsave", mxcsr, "no reserved bit of MXCSR");
  }
  if (ymmUpper !== undefined && !facts.cpuid.has("avx"))
    yield { at: ".ymmUpper", found: "YMM registers", expected: "none, as CPUID shows no AVX" };
  if (pdptes !== undefined && !keepsPdptes(state))
    yield { at: ".pdptes", found: "entries", expected: "none, as the mode keeps none" };
  for (const [i, entry] of (pdptes ?? []).entries())
    if (!acceptsPdpte(facts, Number(entry & LOW_32), Number(entry >> 32n)))
      yield fault(`.pdptes[${i}]`, entry, "no reserved bit");
  if (monitor !== undefined && monitor.address % MONITOR_LINE !== 0)
    yield fault(".monitor.address", monitor.address, `a multiple of ${MONITOR_LINE}`);
}

function* faults(state: CpuState, facts: CpuFacts): Generator<Fault> {
  yield* controlFaults(state, facts);
  yield* segmentFaults(state);
  yield* virtualFaults(state);
  yield* pointerFaults(state);
  yield* debugFaults(state);
  yield* msrFaults(state, facts);
  yield* hiddenFaults(state, facts);
}

/**
 * The state as a copy, if a CPU with the CPUID table `cpuid` can be in it. `state` is whatever a file gave; `path` is where it
 * stood there, for errors.
 * @throws ShapeError at the first thing that cannot be.
 */
export function checkCpuState(state: unknown, cpuid: readonly CpuidLeaf[], path = "cpu"): CpuState {
  const copy = cpuStateShape.check(state, path);
  const table = new CpuidTable(cpuid);
  const facts: CpuFacts = { cpuid: table, reservedPhysicalHigh: reservedPhysicalHigh(table) };
  for (const { at = "", found, expected } of faults(copy, facts)) {
    throw new ShapeError(path + at, found, expected);
  }
  return copy;
}

/** Numbers that an entry has in a list of translations. */
const ENTRY_NUMBERS = 4;
const entryNumber = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

function entries(most: number): Shape<number[]> {
  return refine(list(entryNumber, { max: most * ENTRY_NUMBERS }), ({ length }) =>
    length % ENTRY_NUMBERS === 0
      ? undefined
      : { found: `a list of ${length}`, expected: `a multiple of ${ENTRY_NUMBERS}` },
  );
}

/**
 * Remembered translations from a file: lists no longer than a CPU's. What the numbers must be, `Cpu.writeTranslations` says, and
 * throws a RangeError where they are not.
 */
export const translationsShape = record<Translations>({
  data: entries(ACCESS_MODES * TLB_ENTRIES),
  code: entries(ITLB_ENTRIES),
  large: list(whole(0, LARGE_REGION_ENTRIES - 1), { max: LARGE_REGION_ENTRIES }),
  gigabytes: u32,
});
