/**
 * The CPUID table and its features as text, for `locore plan` and golden tests.
 */
import { FEATURE_BITS, type FeatureName } from "../spec/cpuid.js";
import { hasFeature } from "./cpuid-table.js";
import type { CpuidLeaf } from "./cpuid.js";

const word = (value: number): string => value.toString(16).padStart(8, "0");

/** One line a row: `00000007.0  eax=… ebx=… ecx=… edx=…`; rows of zeros are left out. */
export function cpuidLines(table: readonly CpuidLeaf[]): string[] {
  return table
    .filter((r) => (r.eax | r.ebx | r.ecx | r.edx) !== 0)
    .map((r) => {
      const leaf = r.subleaf === undefined ? word(r.leaf) : `${word(r.leaf)}.${r.subleaf}`;
      return `${leaf.padEnd(10)}  eax=${word(r.eax)} ebx=${word(r.ebx)} ecx=${word(r.ecx)} edx=${word(r.edx)}`;
    });
}

/** Names of the features that the table shows, in the order of the manual's leaves. */
export function featureNames(table: readonly CpuidLeaf[]): FeatureName[] {
  return (Object.keys(FEATURE_BITS) as FeatureName[]).filter((name) => hasFeature(table, name));
}
