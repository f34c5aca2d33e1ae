/**
 * What a form is: one way of writing an instruction, of which any number of cases can be made. What the comparison
 * leaves out stands in `exemptions.ts`, not here.
 */
import type { Case } from "./case.js";
import type { Lanes } from "./float-state.js";

export interface Form {
  /** Unique, readable: mnemonic, operands, size, mode. A failure names it. */
  readonly name: string;
  readonly mnemonic: string;
  /** Ids of the lines of the engine's table (`FORMS[id]`) that its cases exercise. */
  readonly covers: readonly number[];
  /** Code size: 64-bit mode, 32-bit or 16-bit compatibility mode. The last is always segmented. */
  readonly mode: 64 | 32 | 16;
  /** Segment registers hold random segments of the local descriptor table, with limits and types. */
  readonly segmented?: boolean;
  /** What the lanes of XMM registers and memory are mostly filled with, where the instruction has floating point. */
  readonly lanes?: Lanes;
  /** Keeps other cases' instructions out of reach of short branches. */
  readonly apart?: boolean;
  /**
   * Makes a case: appends the instruction's bytes to `c.code` and changes the random initial state where the
   * instruction wants something of it. All randomness comes from `c.random`.
   */
  build(c: Case): void;
}
