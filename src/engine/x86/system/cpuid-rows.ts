/**
 * Looking up the CPUID table that a plan gives a CPU, and the facts of it that other parts of the CPU must honour.
 * Knows no instruction. Specification: Intel SDM vol. 2A, CPUID.
 */
import { FEATURE_BITS, LEAF, type FeatureName } from "../../../spec/cpuid.js";
import { hasFeature } from "../../../x86/cpuid-table.js";
import type { CpuidLeaf } from "../../../x86/cpuid.js";

const DEFAULT_PHYSICAL_BITS = 36;
const NOTHING: CpuidLeaf = { leaf: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 };

export class CpuidTable {
  private readonly byLeaf = new Map<number, CpuidLeaf[]>();
  private readonly features: ReadonlySet<string>;

  constructor(rows: readonly CpuidLeaf[]) {
    for (const row of rows) {
      const leaf = row.leaf >>> 0;
      const list = this.byLeaf.get(leaf);
      if (list) list.push(row);
      else this.byLeaf.set(leaf, [row]);
    }
    this.features = new Set(
      Object.keys(FEATURE_BITS).filter((name) => hasFeature(rows, name as FeatureName)),
    );
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
    const maximum = leaf >= LEAF.EXTENDED ? this.exact(LEAF.EXTENDED, 0).eax >>> 0 : basicMaximum;
    if (leaf <= maximum || (leaf >= LEAF.HYPERVISOR && leaf < LEAF.EXTENDED)) return NOTHING;
    return this.exact(basicMaximum, subleaf);
  }

  /** MAXPHYADDR. */
  get physicalAddressBits(): number {
    const bits = this.exact(LEAF.ADDRESS_SIZES, 0).eax & 0xff;
    return bits === 0 ? DEFAULT_PHYSICAL_BITS : bits;
  }
  /** Whether CPUID shows a feature. */
  has(name: FeatureName): boolean {
    return this.features.has(name);
  }

  /** Bits that XCR0 may have. */
  get xstateMask(): number {
    return this.exact(LEAF.EXTENDED_STATE, 0).eax;
  }
}
