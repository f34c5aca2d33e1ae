/**
 * The CPUID policy: from the features an engine has, the number of CPUs and the clock to the table that guests
 * see. Says nothing that is not so: no leaf without the feature behind it. Knows no engine.
 *
 * Left to the engine, because it follows the CPU's own registers: leaf 1 ECX[27] (OSXSAVE = CR4.OSXSAVE). The
 * APIC id differs by CPU; the table is the boot CPU's, whose id is 0.
 *
 * Specification: SDM vol. 2A, CPUID.
 */
import {
  BRAND_LENGTH,
  FEATURE_BITS,
  HTT_BIT,
  L2_ECX,
  LEAF,
  LEAF1_EBX,
  LEAF2,
  LEAF4,
  LEAF5,
  LEAFD_ECX_ALIGNED,
  TOPOLOGY_LEVEL,
  XSTATE,
  type CpuidRegister,
  type FeatureBit,
  type FeatureName,
} from "../spec/cpuid.js";
import type { CpuFeatures } from "./cpu-features.js";
import { CPU_BRAND, CPU_SIGNATURE, CPU_VENDOR, HYPERVISOR_SIGNATURE } from "./cpu-identity.js";
import type { CpuidLeaf } from "./cpuid.js";
import { standardAreaSize, XSAVE_COMPONENTS } from "./xsave-layout.js";

/** What the table depends on. Rates in Hz. */
export interface CpuidInput {
  features: CpuFeatures;
  cpus: number;
  /** TSC rate; a multiple of 1 kHz and of `apicHz` or a divisor of it, so that every leaf is exact. */
  tscHz: number;
  /** Input of the APIC timer. Linux takes the crystal of leaf 0x15 for it, so they are the same. */
  apicHz: number;
}

const CACHE_LINE = 64;
const PHYSICAL_ADDRESS_BITS = 40;
const LINEAR_ADDRESS_BITS = 48;
const KHZ = 1_000;
const MHZ = 1_000_000;

/** Caches as a small current CPU has them; guests size copy loops and scheduling domains by it. */
const CACHES = [
  { type: LEAF4.TYPE_DATA, level: 1, kib: 32, ways: 8, shared: false },
  { type: LEAF4.TYPE_INSTRUCTION, level: 1, kib: 32, ways: 8, shared: false },
  { type: LEAF4.TYPE_UNIFIED, level: 2, kib: 1024, ways: 16, shared: false },
  { type: LEAF4.TYPE_UNIFIED, level: 3, kib: 8192, ways: 16, shared: true },
] as const;
const L2_KIB = CACHES[2].kib;

/**
 * Builds the table for the boot CPU (APIC id 0), ascending by leaf and sub-leaf.
 * @throws RangeError if a rate cannot be told exactly.
 */
export function cpuidTable(input: CpuidInput): CpuidLeaf[] {
  const { features, cpus } = input;
  const rows = [
    ...identityRows(),
    versionRow(cpus),
    row(LEAF.CACHE_DESCRIPTORS, { eax: LEAF2.EAX, ebx: LEAF2.EBX }),
    ...cacheRows(cpus),
    ...monitorRows(features),
    row(LEAF.THERMAL_POWER, {}),
    row(LEAF.STRUCTURED_FEATURES, {}, 0),
    ...topologyRows(cpus),
    ...extendedStateRows(features),
    ...clockRows(input),
    ...hypervisorRows(input),
    ...extendedRows(),
  ];
  for (const name of Object.keys(FEATURE_BITS) as FeatureName[]) {
    if (features[name]) setFeature(rows, FEATURE_BITS[name]);
  }
  return rows.sort((a, b) => a.leaf - b.leaf || (a.subleaf ?? 0) - (b.subleaf ?? 0));
}

/** The row that answers a leaf and sub-leaf; a leaf we do not have reads as zeros. */
export function lookUpCpuid(table: readonly CpuidLeaf[], leaf: number, subleaf: number): CpuidLeaf {
  const found = table.find((r) => r.leaf === leaf && (r.subleaf === undefined || r.subleaf === subleaf));
  return found ?? { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

/** MAXPHYADDR as the table tells it. */
export function physicalAddressBits(table: readonly CpuidLeaf[]): number {
  return lookUpCpuid(table, LEAF.ADDRESS_SIZES, 0).eax & 0xff;
}

/** Whether a table shows a feature. */
export function hasFeature(table: readonly CpuidLeaf[], name: FeatureName): boolean {
  const where: FeatureBit = FEATURE_BITS[name];
  const found = lookUpCpuid(table, where.leaf, where.subleaf ?? 0);
  return ((found[where.register] >>> where.bit) & 1) === 1;
}

function identityRows(): CpuidLeaf[] {
  const [ebx, edx, ecx] = textRegisters(CPU_VENDOR);
  return [row(LEAF.VENDOR, { eax: LEAF.FREQUENCY, ebx, ecx, edx })];
}

function versionRow(cpus: number): CpuidLeaf {
  const clflush = (CACHE_LINE / 8) << LEAF1_EBX.CLFLUSH_SHIFT;
  const ids = 1 << apicIdBits(cpus);
  return row(LEAF.VERSION, {
    eax: CPU_SIGNATURE,
    ebx: (clflush | (Math.min(ids, 0xff) << LEAF1_EBX.LOGICAL_CPUS_SHIFT)) >>> 0,
    edx: cpus > 1 ? 1 << HTT_BIT : 0,
  });
}

function cacheRows(cpus: number): CpuidLeaf[] {
  const coreIds = Math.min((1 << apicIdBits(cpus)) - 1, 0x3f);
  const rows = CACHES.map((cache, index) => {
    const sharing = cache.shared ? (1 << apicIdBits(cpus)) - 1 : 0;
    const sets = (cache.kib * 1024) / (cache.ways * CACHE_LINE);
    return row(
      LEAF.CACHE_PARAMETERS,
      {
        eax:
          (cache.type |
            (cache.level << LEAF4.LEVEL_SHIFT) |
            LEAF4.SELF_INITIALISING |
            (sharing << LEAF4.SHARING_SHIFT) |
            (coreIds << LEAF4.CORES_SHIFT)) >>>
          0,
        ebx: ((CACHE_LINE - 1) | ((cache.ways - 1) << LEAF4.WAYS_SHIFT)) >>> 0,
        ecx: sets - 1,
      },
      index,
    );
  });
  return [...rows, row(LEAF.CACHE_PARAMETERS, {}, CACHES.length)];
}

/** MONITOR watches one cache line; MWAIT knows C1, which is where its hint 0 leads. */
function monitorRows(features: CpuFeatures): CpuidLeaf[] {
  if (!features.monitor) return [];
  const ecx = LEAF5.EXTENSIONS | LEAF5.BREAK_ON_MASKED;
  return [row(LEAF.MONITOR, { eax: CACHE_LINE, ebx: CACHE_LINE, ecx, edx: LEAF5.ONE_C1_SUBSTATE })];
}

/** One thread a core, one package: Linux and FreeBSD read the levels in this order. */
function topologyRows(cpus: number): CpuidLeaf[] {
  const level = (type: number, index: number): number => (type << TOPOLOGY_LEVEL.TYPE_SHIFT) | index;
  return [
    row(LEAF.TOPOLOGY, { eax: 0, ebx: 1, ecx: level(TOPOLOGY_LEVEL.SMT, 0) }, 0),
    row(LEAF.TOPOLOGY, { eax: apicIdBits(cpus), ebx: cpus, ecx: level(TOPOLOGY_LEVEL.CORE, 1) }, 1),
    row(LEAF.TOPOLOGY, { ecx: level(TOPOLOGY_LEVEL.INVALID, 2) }, 2),
  ];
}

/**
 * Sizes for XCR0 as after reset, x87 alone: an engine answers EBX of both sub-leaves by its XCR0. Sub-leaf 1 tells a
 * size only where there is a compacted form.
 */
function extendedStateRows(features: CpuFeatures): CpuidLeaf[] {
  if (!features.xsave) return [];
  const present = XSAVE_COMPONENTS.filter((component) => features[component.feature]);
  const bits = present.reduce((mask, { number }) => mask | (1 << number), XSTATE.X87 | XSTATE.SSE);
  const size = XSTATE.LEGACY_AND_HEADER_SIZE;
  const components = present.map(({ number, offset, size: bytes, aligned }) =>
    row(LEAF.EXTENDED_STATE, { eax: bytes, ebx: offset, ecx: aligned ? LEAFD_ECX_ALIGNED : 0 }, number),
  );
  return [
    row(LEAF.EXTENDED_STATE, { eax: bits, ebx: size, ecx: standardAreaSize(bits) }, 0),
    row(LEAF.EXTENDED_STATE, { ebx: features.xsavec ? size : 0 }, 1),
    ...components,
  ];
}

/** TSC = crystal × numerator / denominator, in lowest terms. */
function clockRows({ tscHz, apicHz }: CpuidInput): CpuidLeaf[] {
  const divisor = greatestCommonDivisor(tscHz, apicHz);
  const megahertz = Math.round(tscHz / MHZ);
  return [
    row(LEAF.TSC_CRYSTAL, { eax: apicHz / divisor, ebx: tscHz / divisor, ecx: apicHz }),
    row(LEAF.FREQUENCY, { eax: megahertz, ebx: megahertz, ecx: Math.round(apicHz / MHZ) }),
  ];
}

/** Leaves between the signature and the timing leaf are zeros: no paravirtual features. */
function hypervisorRows({ features, tscHz, apicHz }: CpuidInput): CpuidLeaf[] {
  if (!features.hypervisor) return [];
  if (tscHz % KHZ !== 0 || apicHz % KHZ !== 0) {
    throw new RangeError(
      `rates of ${tscHz} and ${apicHz} Hz are not whole kHz, which CPUID 0x40000010 counts in`,
    );
  }
  const [ebx, ecx, edx] = textRegisters(HYPERVISOR_SIGNATURE);
  const empty = Array.from({ length: LEAF.HYPERVISOR_TIMING - LEAF.HYPERVISOR - 1 }, (_, index) =>
    row(LEAF.HYPERVISOR + 1 + index, {}),
  );
  return [
    row(LEAF.HYPERVISOR, { eax: LEAF.HYPERVISOR_TIMING, ebx, ecx, edx }),
    ...empty,
    row(LEAF.HYPERVISOR_TIMING, { eax: tscHz / KHZ, ebx: apicHz / KHZ }),
  ];
}

function extendedRows(): CpuidLeaf[] {
  const words = textRegisters(CPU_BRAND.padEnd(BRAND_LENGTH, "\0"));
  const brand = [0, 1, 2].map((index) => {
    const [eax, ebx, ecx, edx] = words.slice(index * 4);
    return row(LEAF.BRAND_FIRST + index, { eax, ebx, ecx, edx });
  });
  const l2 = CACHE_LINE | (L2_ECX.WAYS_16 << L2_ECX.ASSOCIATIVITY_SHIFT) | (L2_KIB << L2_ECX.SIZE_KIB_SHIFT);
  return [
    row(LEAF.EXTENDED, { eax: LEAF.ADDRESS_SIZES }),
    row(LEAF.EXTENDED_FEATURES, {}),
    ...brand,
    row(LEAF.L2_CACHE, { ecx: l2 }),
    row(LEAF.POWER, {}),
    row(LEAF.ADDRESS_SIZES, { eax: (LINEAR_ADDRESS_BITS << 8) | PHYSICAL_ADDRESS_BITS }),
  ];
}

function row(leaf: number, values: Partial<Record<CpuidRegister, number>>, subleaf?: number): CpuidLeaf {
  const registers = { eax: 0, ebx: 0, ecx: 0, edx: 0, ...values };
  return subleaf === undefined ? { leaf, ...registers } : { leaf, subleaf, ...registers };
}

/** A feature whose leaf is absent (XSAVE off, no hypervisor) is not shown. */
function setFeature(rows: readonly CpuidLeaf[], where: FeatureBit): void {
  const target = rows.find((r) => r.leaf === where.leaf && r.subleaf === where.subleaf);
  if (target !== undefined) target[where.register] = (target[where.register] | (1 << where.bit)) >>> 0;
}

/** Bits that number the CPUs of the package. */
function apicIdBits(cpus: number): number {
  return Math.ceil(Math.log2(cpus));
}

/** Text as little-endian 32-bit words. */
function textRegisters(text: string): number[] {
  const words: number[] = [];
  for (let at = 0; at < text.length; at += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((index) => text.charCodeAt(at + index));
    words.push((a | (b << 8) | (c << 16) | (d << 24)) >>> 0);
  }
  return words;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
