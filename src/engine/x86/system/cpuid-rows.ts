/**
 * Looking up the CPUID table that a plan gives a CPU, and the facts of it that other parts of the CPU must honour.
 * Knows no instruction. Specification: Intel SDM vol. 2A, CPUID.
 */
import type { CpuidLeaf } from "../../../x86/cpuid.js";

const EXTENDED = 0x80000000;
const HYPERVISOR = 0x40000000;
const LEAF_FEATURES = 1;
const LEAF_STRUCTURED = 7;
const LEAF_XSAVE = 0xd;
const LEAF_EXTENDED_FEATURES = 0x80000001;
const LEAF_ADDRESS_SIZES = 0x80000008;
const DEFAULT_PHYSICAL_BITS = 36;
const NOTHING: CpuidLeaf = { leaf: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 };

export class CpuidTable {
  private readonly byLeaf = new Map<number, CpuidLeaf[]>();

  constructor(rows: readonly CpuidLeaf[]) {
    for (const row of rows) {
      const leaf = row.leaf >>> 0;
      const list = this.byLeaf.get(leaf);
      if (list) list.push(row);
      else this.byLeaf.set(leaf, [row]);
    }
  }

  /** The row for exactly this leaf, or zeros. */
  private exact(leaf: number, subleaf: number): CpuidLeaf {
    for (const row of this.byLeaf.get(leaf) ?? []) {
      if (row.subleaf === undefined || row.subleaf >>> 0 === subleaf) return row;
    }
    return NOTHING;
  }

  /**
   * What CPUID answers for EAX = `leaf`, ECX = `subleaf` (unsigned): a leaf above the maximum of its range answers
   * as the highest basic leaf does, one of the hypervisor range zeros.
   */
  lookup(leaf: number, subleaf: number): CpuidLeaf {
    if (this.byLeaf.has(leaf)) return this.exact(leaf, subleaf);
    const basicMaximum = this.exact(0, 0).eax >>> 0;
    const maximum = leaf >= EXTENDED ? this.exact(EXTENDED, 0).eax >>> 0 : basicMaximum;
    if (leaf <= maximum || (leaf >= HYPERVISOR && leaf < EXTENDED)) return NOTHING;
    return this.exact(basicMaximum, subleaf);
  }

  /** MAXPHYADDR. */
  get physicalAddressBits(): number {
    const bits = this.exact(LEAF_ADDRESS_SIZES, 0).eax & 0xff;
    return bits === 0 ? DEFAULT_PHYSICAL_BITS : bits;
  }
  /** Leaf 1, ECX. */
  get featuresEcx(): number {
    return this.exact(LEAF_FEATURES, 0).ecx;
  }
  get featuresEdx(): number {
    return this.exact(LEAF_FEATURES, 0).edx;
  }
  /** Leaf 7, sub-leaf 0, EBX. */
  get structuredEbx(): number {
    return this.exact(LEAF_STRUCTURED, 0).ebx;
  }
  get structuredEcx(): number {
    return this.exact(LEAF_STRUCTURED, 0).ecx;
  }
  get structuredEdx(): number {
    return this.exact(LEAF_STRUCTURED, 0).edx;
  }
  /** Leaf 80000001h, EDX. */
  get extendedEdx(): number {
    return this.exact(LEAF_EXTENDED_FEATURES, 0).edx;
  }
  /** Bits that XCR0 may have. */
  get xstateMask(): number {
    return this.exact(LEAF_XSAVE, 0).eax;
  }
}
