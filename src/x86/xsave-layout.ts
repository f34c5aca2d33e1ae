/**
 * Where state components lie in an XSAVE area, in standard and in compacted form. What is behind the header is data:
 * a further component is a row here and registers in the engine. Knows no engine.
 *
 * ```
 *   0                512                  576
 *  ┌────────────────┬────────────────────┬──────────────────────────────┐
 *  │ x87, SSE       │ XSTATE_BV XCOMP_BV │ components 2, 3, …           │
 *  └────────────────┴────────────────────┴──────────────────────────────┘
 * ```
 * Specification: SDM vol. 1 §13.4 (area), §13.4.3 (extended region); vol. 2A, CPUID leaf 0DH.
 */
import type { FeatureName } from "../spec/cpuid.js";
import { XSTATE } from "../spec/cpuid.js";

export interface XsaveComponent {
  /** Its bit in XCR0, and its sub-leaf of CPUID leaf 0DH. */
  readonly number: number;
  /** What announces it. */
  readonly feature: FeatureName;
  /** Bits of XCR0 that must be set with its own (SDM vol. 1 §13.3). */
  readonly requires: number;
  /** Bytes from the start of an area of standard form. */
  readonly offset: number;
  readonly size: number;
  /** Whether it begins at a multiple of 64 bytes in compacted form. */
  readonly aligned: boolean;
}

const ALIGNMENT = 64;

/** The components of the extended region, by ascending number. */
export const XSAVE_COMPONENTS: readonly XsaveComponent[] = [
  { number: 2, feature: "avx", requires: XSTATE.SSE, offset: 576, size: 256, aligned: false },
];

/** Bytes of an area of standard form that holds `features` (bits of XCR0). */
export function standardAreaSize(features: number): number {
  let size: number = XSTATE.LEGACY_AND_HEADER_SIZE;
  for (const component of XSAVE_COMPONENTS) {
    if ((features >>> component.number) & 1) size = Math.max(size, component.offset + component.size);
  }
  return size;
}

/** Where a component begins in an area of compacted form whose XCOMP_BV names `format`. */
export function compactedOffset(number: number, format: number): number {
  let at: number = XSTATE.LEGACY_AND_HEADER_SIZE;
  for (const component of XSAVE_COMPONENTS) {
    if (!((format >>> component.number) & 1) && component.number !== number) continue;
    if (component.aligned) at = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    if (component.number === number) break;
    at += component.size;
  }
  return at;
}

/** Bytes of an area of compacted form that holds `features`. */
export function compactedAreaSize(features: number): number {
  const present = XSAVE_COMPONENTS.filter((component) => (features >>> component.number) & 1);
  const last = present.at(-1);
  return last === undefined
    ? XSTATE.LEGACY_AND_HEADER_SIZE
    : compactedOffset(last.number, features) + last.size;
}
