/**
 * Batches whose instructions lie in fixed slots of the pages of code, so that what depends on an instruction's
 * address is the same whenever a recorded vector is run. Cases with the same bytes may share a slot.
 */
import { BATCH, CODE_PAGES, INT3, PAGE, RECORD_BYTES } from "./layout.js";
import { slotPlace } from "./vector-text.js";
import type { PlacedCase } from "./vector-text.js";

export class SlotBatch {
  cases = 0;
  readonly segmented = false;
  private readonly input = new Uint8Array(BATCH * RECORD_BYTES);
  private readonly code = new Uint8Array(CODE_PAGES * PAGE).fill(INT3);
  private readonly taken = new Map<number, string>();

  /** Adds a case unless the batch is full or its slot holds other bytes. Returns whether it did. */
  add(c: PlacedCase): boolean {
    const bytes = c.code.join();
    const there = this.taken.get(c.slot);
    if (this.cases === BATCH || (there !== undefined && there !== bytes)) return false;
    this.taken.set(c.slot, bytes);
    this.code.set(c.code, slotPlace(c.slot));
    this.input.set(c.record, RECORD_BYTES * this.cases);
    this.cases++;
    return true;
  }

  clear(): void {
    this.cases = 0;
    this.taken.clear();
    this.code.fill(INT3);
  }

  pages(): Uint8Array {
    return this.code;
  }

  records(): Uint8Array {
    return this.input.subarray(0, this.cases * RECORD_BYTES);
  }
}

/** Runs any number of cases, in as many batches as they need. `done` gets the index of each and its result record. */
export function runCases(
  cases: readonly PlacedCase[],
  run: (batch: SlotBatch) => Uint8Array,
  done: (index: number, result: Uint8Array) => void,
): void {
  const batch = new SlotBatch();
  let first = 0;
  const finish = (end: number): void => {
    const results = run(batch);
    for (let i = first; i < end; i++) {
      const at = (i - first) * RECORD_BYTES;
      done(i, results.slice(at, at + RECORD_BYTES));
    }
    batch.clear();
    first = end;
  };
  for (let i = 0; i < cases.length; i++) {
    if (batch.add(cases[i])) continue;
    finish(i);
    batch.add(cases[i]);
  }
  if (batch.cases > 0) finish(cases.length);
}
