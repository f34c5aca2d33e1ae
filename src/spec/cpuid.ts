/**
 * Leaves of CPUID and the bit of every feature that a machine of ours can announce. Numbers only; the policy
 * is `x86/cpuid-table.ts`.
 *
 * Specification: Intel SDM vol. 2A, CPUID, table 3-8; hypervisor leaves: the agreement that Linux, FreeBSD and
 * NetBSD read (0x40000000 signature, 0x40000010 timing).
 */

export const LEAF = {
  VENDOR: 0x0,
  VERSION: 0x1,
  CACHE_DESCRIPTORS: 0x2,
  CACHE_PARAMETERS: 0x4,
  MONITOR: 0x5,
  THERMAL_POWER: 0x6,
  STRUCTURED_FEATURES: 0x7,
  TOPOLOGY: 0xb,
  EXTENDED_STATE: 0xd,
  TSC_CRYSTAL: 0x15,
  FREQUENCY: 0x16,
  TOPOLOGY_V2: 0x1f,
  HYPERVISOR: 0x4000_0000,
  HYPERVISOR_TIMING: 0x4000_0010,
  EXTENDED: 0x8000_0000,
  EXTENDED_FEATURES: 0x8000_0001,
  BRAND_FIRST: 0x8000_0002,
  L2_CACHE: 0x8000_0006,
  POWER: 0x8000_0007,
  ADDRESS_SIZES: 0x8000_0008,
} as const;

export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";

/** Where CPUID shows a feature. */
export interface FeatureBit {
  readonly leaf: number;
  readonly subleaf?: number;
  readonly register: CpuidRegister;
  readonly bit: number;
}

const leaf1Edx = (bit: number): FeatureBit => ({ leaf: LEAF.VERSION, register: "edx", bit });
const leaf1Ecx = (bit: number): FeatureBit => ({ leaf: LEAF.VERSION, register: "ecx", bit });
const leaf6Eax = (bit: number): FeatureBit => ({ leaf: LEAF.THERMAL_POWER, register: "eax", bit });
const leaf7 = (register: CpuidRegister, bit: number): FeatureBit => ({
  leaf: LEAF.STRUCTURED_FEATURES,
  subleaf: 0,
  register,
  bit,
});
const leafD1Eax = (bit: number): FeatureBit => ({
  leaf: LEAF.EXTENDED_STATE,
  subleaf: 1,
  register: "eax",
  bit,
});
const extended = (register: CpuidRegister, bit: number): FeatureBit => ({
  leaf: LEAF.EXTENDED_FEATURES,
  register,
  bit,
});

/** Every feature by the name that Linux prints in /proc/cpuinfo where it has one. */
export const FEATURE_BITS = {
  fpu: leaf1Edx(0),
  vme: leaf1Edx(1),
  de: leaf1Edx(2),
  pse: leaf1Edx(3),
  tsc: leaf1Edx(4),
  msr: leaf1Edx(5),
  pae: leaf1Edx(6),
  mce: leaf1Edx(7),
  cx8: leaf1Edx(8),
  apic: leaf1Edx(9),
  sep: leaf1Edx(11),
  mtrr: leaf1Edx(12),
  pge: leaf1Edx(13),
  mca: leaf1Edx(14),
  cmov: leaf1Edx(15),
  pat: leaf1Edx(16),
  pse36: leaf1Edx(17),
  clflush: leaf1Edx(19),
  mmx: leaf1Edx(23),
  fxsr: leaf1Edx(24),
  sse: leaf1Edx(25),
  sse2: leaf1Edx(26),

  sse3: leaf1Ecx(0),
  pclmulqdq: leaf1Ecx(1),
  monitor: leaf1Ecx(3),
  ssse3: leaf1Ecx(9),
  fma: leaf1Ecx(12),
  cx16: leaf1Ecx(13),
  pcid: leaf1Ecx(17),
  sse4_1: leaf1Ecx(19),
  sse4_2: leaf1Ecx(20),
  x2apic: leaf1Ecx(21),
  movbe: leaf1Ecx(22),
  popcnt: leaf1Ecx(23),
  tsc_deadline_timer: leaf1Ecx(24),
  aes: leaf1Ecx(25),
  xsave: leaf1Ecx(26),
  avx: leaf1Ecx(28),
  f16c: leaf1Ecx(29),
  rdrand: leaf1Ecx(30),
  hypervisor: leaf1Ecx(31),

  arat: leaf6Eax(2),

  fsgsbase: leaf7("ebx", 0),
  tsc_adjust: leaf7("ebx", 1),
  bmi1: leaf7("ebx", 3),
  avx2: leaf7("ebx", 5),
  smep: leaf7("ebx", 7),
  bmi2: leaf7("ebx", 8),
  erms: leaf7("ebx", 9),
  invpcid: leaf7("ebx", 10),
  rdseed: leaf7("ebx", 18),
  adx: leaf7("ebx", 19),
  smap: leaf7("ebx", 20),
  clflushopt: leaf7("ebx", 23),
  clwb: leaf7("ebx", 24),
  sha_ni: leaf7("ebx", 29),
  umip: leaf7("ecx", 2),
  rdpid: leaf7("ecx", 22),
  fsrm: leaf7("edx", 4),
  spec_ctrl: leaf7("edx", 26),
  flush_l1d: leaf7("edx", 28),
  arch_capabilities: leaf7("edx", 29),

  xsaveopt: leafD1Eax(0),
  xsavec: leafD1Eax(1),
  xgetbv1: leafD1Eax(2),

  lahf_lm: extended("ecx", 0),
  abm: extended("ecx", 5),
  prefetchw: extended("ecx", 8),
  syscall: extended("edx", 11),
  nx: extended("edx", 20),
  pdpe1gb: extended("edx", 26),
  rdtscp: extended("edx", 27),
  lm: extended("edx", 29),

  invariant_tsc: { leaf: LEAF.POWER, register: "edx", bit: 8 },
} as const satisfies Record<string, FeatureBit>;

export type FeatureName = keyof typeof FEATURE_BITS;

/** Leaf 1 EDX: several logical CPUs in the package, EBX[23:16] is valid. */
export const HTT_BIT = 28;

/** Leaf 1 ECX: CR4.OSXSAVE as the processor reports it; no feature, it follows the register. */
export const LEAF1_ECX_OSXSAVE = 1 << 27;

/** Leaf 1 EBX. */
export const LEAF1_EBX = { CLFLUSH_SHIFT: 8, LOGICAL_CPUS_SHIFT: 16, APIC_ID_SHIFT: 24 } as const;

/**
 * Leaf 2: the first byte says how often to ask; 0xff refers to leaf 4 for caches, 0xb0 and 0xb4 are TLBs of 128 entries
 * for code and 256 for data, of 4 KiB pages.
 */
export const LEAF2 = { EAX: 0x00b0_ff01, EBX: 0x0000_00b4 } as const;

/** Leaf 4 EAX: cache type, level, self-initialising, and the two "maximum ids less one" fields. */
export const LEAF4 = {
  TYPE_DATA: 1,
  TYPE_INSTRUCTION: 2,
  TYPE_UNIFIED: 3,
  LEVEL_SHIFT: 5,
  SELF_INITIALISING: 1 << 8,
  SHARING_SHIFT: 14,
  CORES_SHIFT: 26,
  WAYS_SHIFT: 22,
} as const;

/** Leaf 5 ECX: extensions are told, interrupts end MWAIT even when masked. EDX: one substate of C1 in bits 7:4. */
export const LEAF5 = { EXTENSIONS: 1, BREAK_ON_MASKED: 1 << 1, ONE_C1_SUBSTATE: 1 << 4 } as const;

/** Leaf 0xB ECX[15:8]: level types. */
export const TOPOLOGY_LEVEL = { INVALID: 0, SMT: 1, CORE: 2, TYPE_SHIFT: 8 } as const;

/** Leaf 0xD: XCR0 bits and the size of an XSAVE area that holds only x87 and SSE (SDM vol. 1 §13.4). */
export const XSTATE = { X87: 1, SSE: 2, LEGACY_AND_HEADER_SIZE: 576 } as const;

/** Leaf 0xD ECX of a component: it is aligned to 64 bytes in compacted form. */
export const LEAFD_ECX_ALIGNED = 1 << 1;

/** Leaf 0x80000006 ECX: associativity code for 16 ways, and field positions. */
export const L2_ECX = { WAYS_16: 8, ASSOCIATIVITY_SHIFT: 12, SIZE_KIB_SHIFT: 16 } as const;

/** Characters of the brand string, leaves 0x80000002–4, including the final zero. */
export const BRAND_LENGTH = 48;
