/** The rules, in the order in which they count: the first that finds something is the sentence that a person reads first. */
import type { Cause } from "../diagnosis.js";
import { consoleElsewhere, consoleMissing } from "./silence.js";
import { clockComplaint, networkMissing } from "./linux-words.js";
import {
  illegalInstruction,
  initDied,
  initMissing,
  initrdBroken,
  initUnrunnable,
  outOfMemory,
  rootAwaited,
  rootMissing,
  virtioUnseen,
} from "./linux-roots.js";
import {
  anyPanic,
  cpuNotStarted,
  decompressorDied,
  freebsdInit,
  freebsdRoot,
  haltedForEver,
  lockedCpus,
  polls,
  rebootLoop,
  timerGone,
  timerMissing,
  tripleFault,
  waitsForInput,
  wrongEntry,
} from "./machine-causes.js";
import { maskedInterrupt, unacknowledged } from "./interrupts.js";
import type { Facts, Rule } from "./rule.js";

const RULES: readonly Rule[] = [
  wrongEntry,
  tripleFault,
  rebootLoop,
  consoleElsewhere,
  consoleMissing,
  decompressorDied,
  outOfMemory,
  unacknowledged,
  timerMissing,
  timerGone,
  lockedCpus,
  initrdBroken,
  networkMissing,
  virtioUnseen,
  rootMissing,
  rootAwaited,
  freebsdRoot,
  freebsdInit,
  illegalInstruction,
  initUnrunnable,
  initMissing,
  initDied,
  anyPanic,
  polls,
  maskedInterrupt,
  cpuNotStarted,
  haltedForEver,
  waitsForInput,
  clockComplaint,
];

/** Everything that the rules find; of a panic that a rule explains there is no second cause. */
export function causesOf(facts: Facts): Cause[] {
  const causes: Cause[] = [];
  for (const { id, find } of RULES) {
    const found = find(facts);
    if (
      found === undefined ||
      causes.some((known) => known.id === id) ||
      (LAST_RESORTS.includes(id) && causes.length > 0)
    )
      continue;
    causes.push({ id, ...found });
  }
  return causes;
}

/** Rules that only tell of what nothing else explains. */
const LAST_RESORTS: readonly string[] = [
  "panic",
  "polls",
  "interrupt-masked",
  "cpu-not-started",
  "halted",
  "waits-for-input",
];
