/**
 * XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV, XSETBV: saving and restoring the state components that XCR0 enables.
 *
 * The XSAVE header, behind the 512 bytes of the legacy region:
 * ```
 *   0           8           16                64
 *  ┌───────────┬───────────┬─────────────────┐
 *  │ XSTATE_BV │ XCOMP_BV  │ zero            │    XCOMP_BV[63]: compacted form
 *  └───────────┴───────────┴─────────────────┘
 * ```
 * Specification: Intel SDM vol. 1 §13.4–13.10; vol. 2D, those instructions.
 */
import {
  CR4_OSXSAVE,
  MXCSR_MASK,
  MXCSR_RESET,
  XSTATE_SSE,
  XSTATE_X87,
  XSTATE_YMM,
} from "../../../spec/x86-privileged.js";
import { compactedAreaSize, compactedOffset, standardAreaSize } from "../../../x86/xsave-layout.js";
import { INFO_SIZE } from "../call-info.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX } from "../layout.js";
import { WRITE } from "./access.js";
import * as X from "./extended-state.js";
import { generalProtection, undefinedOpcode } from "./faults.js";
import { CONTINUE, type Helper, requireSupervisor, requireTaskClean, resolveNext } from "./outcome.js";
import { loadRanges, Ranges, saveRanges, stateArea, type StateArea } from "./state-area.js";

const ALIGNMENT = 64;
const BV_END = X.LEGACY_SIZE + 8;
const COMPACT_END = X.LEGACY_SIZE + 16;
// Words of the header in the staging image.
const WORD_BV = 128;
const WORD_COMPACT = 130;
/** Standard form: bytes 23:8 of the header must be zero. Compacted: bytes 63:16. */
const WORD_STANDARD_END = 134;
const WORD_RESERVED = 132;
const WORD_END = 144;
const COMPACTED = 0x80000000 | 0;
const XCR_FEATURES = 0;
const XCR_IN_USE = 1;

function requireXsave(cpu: CpuContext): void {
  if (!(cpu.get32(L.CR4) & CR4_OSXSAVE)) undefinedOpcode();
}

/** RFBM: what EDX:EAX and XCR0 both name. No component has a number above 31. */
function requestedFeatures(cpu: CpuContext): number {
  requireXsave(cpu);
  requireTaskClean(cpu);
  return cpu.get32(RAX) & cpu.get32(L.XCR0);
}

/** XINUSE in the current mode. */
function inUse(cpu: CpuContext): number {
  return X.statesInUse(cpu, X.vectorRegisters(cpu));
}

const isWide = (info: number): boolean => (info & INFO_SIZE) === 8;

function areaOf(cpu: CpuContext, record: number, size: number, write: boolean): StateArea {
  return stateArea(cpu, record, size, ALIGNMENT, write);
}

/** Bytes of the legacy region that belong to `features`, and to MXCSR. */
function legacyRanges(cpu: CpuContext, features: number, mxcsr: boolean): Ranges {
  const ranges = new Ranges();
  if (features & XSTATE_X87) ranges.add(0, X.POINTERS_END);
  if (mxcsr) ranges.add(X.POINTERS_END, X.ST_START);
  if (features & XSTATE_X87) ranges.add(X.ST_START, X.XMM_START);
  if (features & XSTATE_SSE) ranges.add(X.XMM_START, X.XMM_START + X.vectorRegisters(cpu) * X.XMM_SIZE);
  return ranges;
}

/** Adds the components of `features` behind the header, where `offsetOf` says that they lie. */
function addComponents(
  cpu: CpuContext,
  ranges: Ranges,
  features: number,
  offsetOf: (component: (typeof X.COMPONENTS)[number]) => number,
): void {
  for (const component of X.COMPONENTS) {
    if (!((features >>> component.number) & 1)) continue;
    const at = offsetOf(component);
    ranges.add(at, at + X.componentBytes(component.number, X.vectorRegisters(cpu)));
  }
}

/** Fills the legacy region of the staging image with the state in `features`, and MXCSR. */
function stageLegacy(cpu: CpuContext, features: number, wide: boolean): void {
  if (features & XSTATE_X87) X.stageX87(cpu, wide);
  X.stageMxcsr(cpu);
  if (features & XSTATE_SSE) X.stageXmm(cpu, X.vectorRegisters(cpu));
}

/** XSAVE writes every requested component, XSAVEOPT only those in use; of the header both update XSTATE_BV alone. */
function xsaveStandard(optimised: boolean): Helper {
  return (cpu, record, info) => {
    const requested = requestedFeatures(cpu);
    const area = areaOf(cpu, record, standardAreaSize(requested), true);
    loadRanges(cpu, area, new Ranges().add(X.LEGACY_SIZE, BV_END), WRITE);
    const used = inUse(cpu) & requested;
    const saved = optimised ? used : requested;
    // MXCSR goes with the SSE and AVX components and is not subject to the optimisation.
    const ranges = legacyRanges(cpu, saved, (requested & (XSTATE_SSE | XSTATE_YMM)) !== 0);
    ranges.add(X.LEGACY_SIZE, BV_END);
    addComponents(cpu, ranges, saved, ({ offset }) => offset);
    X.stagingWords[WORD_BV] = (X.stagingWords[WORD_BV] & ~requested) | used;
    stageLegacy(cpu, saved, isWide(info));
    for (const { number, offset } of X.COMPONENTS) {
      if ((saved >>> number) & 1) X.stageComponent(cpu, number, offset, X.vectorRegisters(cpu));
    }
    saveRanges(cpu, area, ranges);
    return CONTINUE;
  };
}

/** Compacted form, components in use only; MXCSR counts as part of the SSE component here. */
function xsavec(cpu: CpuContext, record: number, info: number): number {
  const requested = requestedFeatures(cpu);
  const area = areaOf(cpu, record, compactedAreaSize(requested), true);
  const mxcsr = cpu.get32(L.MXCSR) === MXCSR_RESET ? 0 : XSTATE_SSE;
  const saved = (inUse(cpu) | mxcsr) & requested;
  const ranges = legacyRanges(cpu, saved, (saved & XSTATE_SSE) !== 0);
  ranges.add(X.LEGACY_SIZE, COMPACT_END);
  addComponents(cpu, ranges, saved, ({ number }) => compactedOffset(number, requested));
  X.stagingWords.fill(0, WORD_BV, WORD_RESERVED);
  X.stagingWords[WORD_BV] = saved;
  X.stagingWords[WORD_COMPACT] = requested;
  X.stagingWords[WORD_COMPACT + 1] = COMPACTED;
  stageLegacy(cpu, saved, isWide(info));
  for (const { number } of X.COMPONENTS) {
    if ((saved >>> number) & 1) {
      X.stageComponent(cpu, number, compactedOffset(number, requested), X.vectorRegisters(cpu));
    }
  }
  saveRanges(cpu, area, ranges);
  return CONTINUE;
}

/** #GP(0) when the staged header is not one that XRSTOR takes. Returns whether the area is compacted. */
function checkHeader(cpu: CpuContext): boolean {
  const words = X.stagingWords;
  const enabled = cpu.get32(L.XCR0);
  const compacted = words[WORD_COMPACT + 1] < 0;
  if (compacted) {
    if (!cpu.cpuid.has("xsavec")) generalProtection();
    if (words[WORD_COMPACT + 1] !== COMPACTED || words[WORD_COMPACT] & ~enabled) generalProtection();
  }
  const allowed = compacted ? words[WORD_COMPACT] : enabled;
  if (words[WORD_BV] & ~allowed || words[WORD_BV + 1] !== 0) generalProtection();
  const first = compacted ? WORD_RESERVED : WORD_COMPACT;
  const end = compacted ? WORD_END : WORD_STANDARD_END;
  for (let word = first; word < end; word++) if (words[word] !== 0) generalProtection();
  return compacted;
}

/** Loads or initialises component `number` from offset `at` of the staging image. */
function restoreComponent(cpu: CpuContext, number: number, at: number, present: number): void {
  const count = X.vectorRegisters(cpu);
  if ((present >>> number) & 1) X.unstageComponent(cpu, number, at, count);
  else X.initialiseComponent(cpu, number, count);
}

function xrstor(cpu: CpuContext, record: number, info: number): number {
  const requested = requestedFeatures(cpu);
  const area = areaOf(cpu, record, standardAreaSize(requested), false);
  loadRanges(cpu, area, new Ranges().add(X.LEGACY_SIZE, X.XSAVE_SIZE));
  const compacted = checkHeader(cpu);
  const format = X.stagingWords[WORD_COMPACT];
  const present = X.stagingWords[WORD_BV];
  const restored = requested & present;
  // Standard form takes MXCSR from memory even when the components it belongs to are initialised.
  const loadsMxcsr = compacted
    ? (restored & XSTATE_SSE) !== 0
    : (requested & (XSTATE_SSE | XSTATE_YMM)) !== 0;
  const ranges = legacyRanges(cpu, restored, loadsMxcsr);
  const offsetOf = ({ number, offset }: (typeof X.COMPONENTS)[number]): number =>
    compacted ? compactedOffset(number, format) : offset;
  addComponents(cpu, ranges, restored, offsetOf);
  loadRanges(cpu, area, ranges);
  const mxcsr = X.stagedMxcsr();
  // As on Intel's CPUs, x87 state is loaded already when MXCSR raises #GP.
  if (requested & XSTATE_X87) {
    if (present & XSTATE_X87) X.unstageX87(cpu, isWide(info));
    else X.initialiseX87(cpu);
  }
  if (loadsMxcsr && mxcsr & ~MXCSR_MASK) generalProtection();
  if (loadsMxcsr) cpu.set32(L.MXCSR, mxcsr);
  else if (requested & XSTATE_SSE) cpu.set32(L.MXCSR, MXCSR_RESET);
  if (requested & XSTATE_SSE) {
    if (present & XSTATE_SSE) X.unstageXmm(cpu, X.vectorRegisters(cpu));
    else X.initialiseXmm(cpu, X.vectorRegisters(cpu));
  }
  for (const component of X.COMPONENTS) {
    if ((requested >>> component.number) & 1)
      restoreComponent(cpu, component.number, offsetOf(component), present);
  }
  return CONTINUE;
}

function xgetbv(cpu: CpuContext): number {
  requireXsave(cpu);
  const index = cpu.get32(RCX);
  if (index !== XCR_FEATURES && !(index === XCR_IN_USE && cpu.cpuid.has("xgetbv1"))) generalProtection();
  const enabled = cpu.low(L.XCR0);
  cpu.setPair(RAX, index === XCR_IN_USE ? enabled & inUse(cpu) : enabled, 0);
  cpu.setPair(RDX, 0, 0);
  return CONTINUE;
}

/** Whether XCR0 may have this value: x87 always, nothing without what it requires. */
export function validXcr0({ cpuid }: Pick<CpuContext, "cpuid">, value: number): boolean {
  if (!(value & XSTATE_X87) || value & ~(cpuid.xstateMask & X.SAVED_COMPONENTS)) return false;
  return X.COMPONENTS.every(
    ({ number, requires }) => !((value >>> number) & 1) || (value & requires) === requires,
  );
}

function xsetbv(cpu: CpuContext, record: number): number {
  requireXsave(cpu);
  requireSupervisor(cpu);
  const value = cpu.get32(RAX);
  if (cpu.get32(RCX) !== XCR_FEATURES || cpu.get32(RDX) !== 0 || !validXcr0(cpu, value)) generalProtection();
  cpu.setPair(L.XCR0, value, 0);
  return resolveNext(cpu, record);
}

export const XSAVE_INSTRUCTIONS: Record<string, Helper> = {
  xsave: xsaveStandard(false),
  xsaveopt: xsaveStandard(true),
  xsavec,
  xrstor,
  xgetbv,
  xsetbv,
};
