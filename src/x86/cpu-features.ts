/**
 * Which CPU features a machine announces: one named boolean each. The engine says what it implements; a
 * feature that is off here stays unknown to the guest. Knows no engine.
 *
 * Specification: SDM vol. 2A, CPUID; the choice is explained in RATIONALE.md.
 */
import type { FeatureName } from "../spec/cpuid.js";

/** A switch for every feature that CPUID can show. */
export type CpuFeatures = Readonly<Record<FeatureName, boolean>>;

/**
 * x86-64-v2 and the extensions for bits, ciphers and long integers, what saves time (PCID, ERMS, TSC deadline, x2APIC,
 * invariant TSC) and what hardens at no cost (SMEP, SMAP, UMIP). Left off: virtual-8086 extensions (no guest of ours uses
 * them), and wider vectors until the engine has them.
 */
export const DEFAULT_CPU_FEATURES: CpuFeatures = {
  fpu: true,
  vme: false,
  de: true,
  pse: true,
  tsc: true,
  msr: true,
  pae: true,
  mce: true,
  cx8: true,
  apic: true,
  sep: true,
  mtrr: true,
  pge: true,
  mca: true,
  cmov: true,
  pat: true,
  pse36: true,
  clflush: true,
  mmx: true,
  fxsr: true,
  sse: true,
  sse2: true,

  sse3: true,
  pclmulqdq: true,
  monitor: true,
  ssse3: true,
  fma: false,
  cx16: true,
  pcid: true,
  sse4_1: true,
  sse4_2: true,
  x2apic: true,
  movbe: true,
  popcnt: true,
  tsc_deadline_timer: true,
  aes: true,
  xsave: true,
  avx: false,
  f16c: false,
  rdrand: true,
  hypervisor: true,

  arat: true,

  fsgsbase: true,
  tsc_adjust: true,
  bmi1: true,
  avx2: false,
  smep: true,
  bmi2: true,
  erms: true,
  invpcid: true,
  rdseed: true,
  adx: true,
  smap: true,
  clflushopt: true,
  clwb: false,
  sha_ni: true,
  umip: true,
  rdpid: true,
  fsrm: true,
  spec_ctrl: true,
  flush_l1d: false,
  arch_capabilities: true,

  xsaveopt: true,
  xsavec: true,
  xgetbv1: true,

  lahf_lm: true,
  abm: true,
  prefetchw: false,
  syscall: true,
  nx: true,
  pdpe1gb: true,
  rdtscp: true,
  lm: true,

  invariant_tsc: true,
};

/** The defaults with some switches turned. */
export function withFeatures(changes: Partial<Record<FeatureName, boolean>>): CpuFeatures {
  return { ...DEFAULT_CPU_FEATURES, ...changes };
}

/** What an engine's capabilities say of features. */
export interface FeatureOffer {
  readonly cpuFeatures: CpuFeatures;
}

/** What of the features that somebody wants an engine offers, and what it lacks of them, by name. */
export function offeredFeatures(
  { cpuFeatures }: FeatureOffer,
  wanted: CpuFeatures,
): { features: CpuFeatures; lacking: FeatureName[] } {
  const names = Object.keys(wanted) as FeatureName[];
  const lacking = names.filter((name) => wanted[name] && !cpuFeatures[name]);
  const off = Object.fromEntries(lacking.map((name) => [name, false]));
  return { features: { ...wanted, ...off }, lacking };
}
