/** Fuzzing the CPU, as both test tiers do it: how much is theirs to say. */
import assert from "node:assert/strict";
import type { FuzzOrder, FuzzResult } from "./fuzz-worker.js";
import { watched } from "./watchdog.js";

/** No life takes a tenth of it, even on a busy machine. */
const LONGEST_SILENCE_MS = 30_000;
const ALL_MODES = ["code16", "compatibility", "flat32", "legacy", "long", "pae", "real", "virtual"];

/** Runs lives and checks that they covered what they are meant to. */
export async function fuzzCpu(order: FuzzOrder): Promise<FuzzResult> {
  const url = new URL("./fuzz-worker.js", import.meta.url);
  const result = await watched<FuzzResult>(url, order, LONGEST_SILENCE_MS);
  assert.deepEqual(result.modes, ALL_MODES);
  assert.ok(result.shutdowns > 0 && result.halts > 0 && result.accesses > 0, JSON.stringify(result));
  return result;
}
