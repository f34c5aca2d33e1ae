/** One case with chosen state and the fields that its result must have. */
import { GPR_NAMES } from "../../src/x86/cpu-state.js";
import { Batch } from "./batch.js";
import { Case, RFLAGS } from "./case.js";

export const USUAL_FLAGS = RFLAGS.FIXED | RFLAGS.IF;

/** A case: what is not given is random but the same each time, memory is zeros. */
export interface PinnedCase {
  /** The instruction's bytes, hexadecimal. */
  code: string;
  mode?: 64 | 32;
  flags?: number;
  /** Registers before, by name. */
  registers?: Partial<Record<(typeof GPR_NAMES)[number], bigint>>;
  /** More of the state before. */
  before?: (c: Case) => void;
}

export interface Pinned extends PinnedCase {
  /** Fields of the result by name, see `compare.ts`. */
  expected: Record<string, bigint>;
}

/** A batch of the one case. */
export function pinnedBatch(name: string, pinned: PinnedCase): Batch {
  const batch = new Batch();
  const form = { name, mnemonic: name, covers: [], mode: pinned.mode ?? 64, build };
  function build(c: Case): void {
    c.code.push(...Buffer.from(pinned.code, "hex"));
    c.rflags = pinned.flags ?? USUAL_FLAGS;
    c.memory.fill(0);
    for (const [register, value] of Object.entries(pinned.registers ?? {}))
      c.setRegister(GPR_NAMES.indexOf(register as (typeof GPR_NAMES)[number]), value);
    pinned.before?.(c);
  }
  batch.add(form, 0, new Case(), 1);
  return batch;
}
