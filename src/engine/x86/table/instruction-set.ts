/**
 * The forms that a CPU has, by the features that its CPUID announces: what the decoder leaves out. A form that is left
 * out gives way to the next that its bytes fit, so that LZCNT is BSR and TZCNT is BSF where they are not announced;
 * others are undefined. Costs nothing at run time.
 */
import type { FeatureName } from "../../../spec/cpuid.js";
import type { Form } from "./form.js";
import type { FormFeatures } from "./features.js";
import { FORMS } from "./forms.js";

const ABSENT = 1;
const ABSENT_WITH_64_BITS = 2;
const ABSENT_IN_64_BIT_CODE = 4;

export class InstructionSet {
  private readonly absent: Uint8Array;

  constructor(has: (feature: FeatureName) => boolean) {
    const lacks = (feature: FeatureName | undefined): boolean => feature !== undefined && !has(feature);
    // Forms of the same features share one object: each is asked about once.
    const known = new Map<FormFeatures, number>();
    this.absent = new Uint8Array(FORMS.length);
    for (const { id, features } of FORMS) {
      let bits = known.get(features);
      if (bits === undefined) {
        bits =
          (lacks(features.always) ? ABSENT : 0) |
          (lacks(features.with64Bits) ? ABSENT_WITH_64_BITS : 0) |
          (lacks(features.in64BitCode) ? ABSENT_IN_64_BIT_CODE : 0);
        known.set(features, bits);
      }
      this.absent[id] = bits;
    }
  }

  /** Whether a CPU with these features lacks the form, in code of `codeSize` bytes and with REX.W as given. */
  lacks(form: Form, codeSize: number, wide: boolean): boolean {
    const absent = this.absent[form.id];
    if (absent === 0) return false;
    if (wide && form.features.with64Bits !== undefined) return (absent & ABSENT_WITH_64_BITS) !== 0;
    return (absent & (codeSize === 8 ? ABSENT | ABSENT_IN_64_BIT_CODE : ABSENT)) !== 0;
  }

  /** Whether two sets have the same forms. */
  equals(other: InstructionSet): boolean {
    return this.absent.every((bits, id) => bits === other.absent[id]);
  }
}

/** Every form of the table. */
export const ALL_INSTRUCTIONS = new InstructionSet(() => true);
