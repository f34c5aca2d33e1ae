/**
 * The forms that a CPU has, by the features that its CPUID announces: what the decoder leaves out. A form that is left
 * out gives way to the next that its bytes fit, so that LZCNT is BSR and TZCNT is BSF where they are not announced;
 * others are undefined. Costs nothing at run time.
 */
import type { FeatureName } from "../../../spec/cpuid.js";
import type { Form } from "./form.js";
import type { FormFeatures } from "./features.js";
import { ALL_FEATURES } from "./forms.js";

const ABSENT = 1;
const ABSENT_WITH_64_BITS = 2;
const ABSENT_IN_64_BIT_CODE = 4;

export class InstructionSet {
  private readonly absent = new Map<FormFeatures, number>();

  constructor(has: (feature: FeatureName) => boolean) {
    const lacks = (feature: FeatureName | undefined): boolean => feature !== undefined && !has(feature);
    for (const features of ALL_FEATURES)
      this.absent.set(
        features,
        (lacks(features.always) ? ABSENT : 0) |
          (lacks(features.with64Bits) ? ABSENT_WITH_64_BITS : 0) |
          (lacks(features.in64BitCode) ? ABSENT_IN_64_BIT_CODE : 0),
      );
  }

  /** Whether a CPU with these features lacks the form, in code of `codeSize` bytes and with REX.W as given. */
  lacks(form: Form, codeSize: number, wide: boolean): boolean {
    const absent = this.absent.get(form.features)!;
    if (absent === 0) return false;
    if (wide && form.features.with64Bits !== undefined) return (absent & ABSENT_WITH_64_BITS) !== 0;
    return (absent & (codeSize === 8 ? ABSENT | ABSENT_IN_64_BIT_CODE : ABSENT)) !== 0;
  }

  /** Whether two sets have the same forms. */
  equals(other: InstructionSet): boolean {
    return ALL_FEATURES.every((features) => this.absent.get(features) === other.absent.get(features));
  }
}

/** Every form of the table. */
export const ALL_INSTRUCTIONS = new InstructionSet(() => true);
