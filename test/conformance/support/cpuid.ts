/**
 * The CPUID table conformance guests see: every feature that some guest of the suite uses.
 *
 * Specification: SDM vol. 2A, CPUID, tables 3-8 to 3-18.
 */
import type { CpuidLeaf } from "../../../src/x86/cpuid.js";

const bits = (...positions: number[]): number => positions.reduce((v, p) => (v | (1 << p)) >>> 0, 0);

/** FPU, DE, PSE, TSC, MSR, PAE, CX8, APIC, SEP, PGE, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2. */
const LEAF1_EDX = bits(0, 2, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26);
/** CX16, PCID, POPCNT, XSAVE, hypervisor. */
const LEAF1_ECX = bits(13, 17, 23, 26, 31);
/** FSGSBASE, SMEP, ERMS, INVPCID, SMAP. */
const LEAF7_EBX = bits(0, 7, 9, 10, 20);
/** SYSCALL, NX, 1 GiB pages, RDTSCP, LM. */
const EXTENDED1_EDX = bits(11, 20, 26, 27, 29);
/** LAHF in 64-bit mode. */
const EXTENDED1_ECX = bits(0);
/** XSAVEOPT. */
const XSAVE_SUB1_EAX = bits(0);
const X87_AND_SSE = 3;
const XSAVE_AREA = 512 + 64;
const PHYSICAL_48_LINEAR_48 = 0x3030;

/** "LocoreTest!!" in the order EBX, EDX, ECX of leaf 0. */
export const VENDOR = { ebx: 0x6f636f4c, edx: 0x65546572, ecx: 0x21217473 };
/** A leaf with values no CPU has, to see that CPUID answers from the table. */
export const PROBE_LEAF = {
  leaf: 0x40000001,
  eax: 0x11111111,
  ebx: 0x92222222,
  ecx: 0x33333333,
  edx: 0xf4444444,
};

export function conformanceCpuid(): CpuidLeaf[] {
  const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  return [
    { leaf: 0, eax: 0xd, ...VENDOR },
    { leaf: 1, eax: 0x000306c1, ebx: 0x00010800, ecx: LEAF1_ECX, edx: LEAF1_EDX },
    { leaf: 7, subleaf: 0, ...none, ebx: LEAF7_EBX },
    { leaf: 0xd, subleaf: 0, eax: X87_AND_SSE, ebx: XSAVE_AREA, ecx: XSAVE_AREA, edx: 0 },
    { leaf: 0xd, subleaf: 1, ...none, eax: XSAVE_SUB1_EAX, ebx: XSAVE_AREA },
    { leaf: 0x40000000, eax: 0x40000001, ebx: 0, ecx: 0, edx: 0 },
    PROBE_LEAF,
    { leaf: 0x80000000, ...none, eax: 0x80000008 },
    { leaf: 0x80000001, ...none, ecx: EXTENDED1_ECX, edx: EXTENDED1_EDX },
    { leaf: 0x80000008, ...none, eax: PHYSICAL_48_LINEAR_48 },
  ];
}
