/** Recorded vectors on an engine: what differs, and which exemptions took a difference away. */
import type { Engine } from "../../src/engine/contract.js";
import { allForms } from "./all-forms.js";
import { EngineRunner } from "./engine.js";
import { normalise } from "./linux.js";
import { unexplained } from "./run.js";
import type { Mismatch, Used } from "./run.js";
import { runCases } from "./slots.js";
import { readVectors, recordedOn } from "./vector-files.js";
import type { NamedVector } from "./vector-files.js";
import type { Vendor } from "./vendor.js";

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Runs vectors that a CPU of `vendor` made; adds the exemptions that were needed to `used`. */
export function replay(
  list: readonly NamedVector[],
  vendor: Vendor,
  engine: Engine,
  used: Used = new Map(),
): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const runner = new EngineRunner(engine);
  try {
    runCases(
      list,
      (batch) => runner.run(batch),
      (i, result) => {
        const { form, code, record, result: recorded } = list[i];
        normalise(view(result));
        const records = { before: view(record), host: view(recorded), ours: view(result) };
        const finished = { form, vendor, code, ...records };
        const fields = unexplained(finished, used);
        if (fields.size > 0) mismatches.push({ form, row: i, fields, finished });
      },
    );
  } finally {
    runner.dispose();
  }
  return mismatches;
}

/** The vectors of a file, and whose CPU made them. */
export function recordedIn(url: URL): { vendor: Vendor; list: NamedVector[] } {
  const forms = new Map(allForms().map((form) => [form.name, form]));
  return { vendor: recordedOn(url), list: readVectors(url, forms) };
}
