/** From a snapshot's file to what its machine is made from, in the machine's thread. */
import type { PartRegistry } from "../../devices/registry.js";
import { knownSnapshot, openSnapshot, type Snapshot, type SnapshotFacts } from "../../snapshot/read.js";
import type { Mc146818State } from "../../devices/time/mc146818.js";
import type { RestoredRun } from "../run.js";
import type { SnapshotToRestore } from "./messages.js";
import type { PlugInFiles } from "./plug-ins.js";
import type { Planned } from "./serve.js";
import { FAST_READING, openSnapshotFile } from "./snapshot-file.js";
import { keepKnownStart, openKnownStart } from "./known-start.js";

const NS_PER_MS = 1e6;
const MS_PER_SECOND = 1000;
/** The type of part that knows what time of day it is. */
const RTC_TYPE = "mc146818";

/** The file stays open for as long as the thread lives: RAM is read from it when it is needed. Throws SnapshotError, and the host's errors. */
export async function restore({
  snapshot: path,
  clock,
  lasts = false,
  knownStart,
  plugIns,
}: SnapshotToRestore): Promise<Planned> {
  const types = await partTypes(plugIns);
  const file = openSnapshotFile(path);
  const known = knownStart === undefined ? undefined : openKnownStart(knownStart);
  const opened = (): Snapshot => openSnapshot(file, { ...FAST_READING, ...(types && { types }) });
  const snapshot = known === undefined ? opened() : knownSnapshot(file, known.facts, FAST_READING);
  const missedNs = clock === "jump" ? missedBy(snapshot) : 0;
  if (clock === "set") setCalendar(snapshot);
  const from: RestoredRun = { snapshot, missedNs, later: true, lasts };
  if (known !== undefined) from.workingSet = known.workingSet;
  // What a machine is made of does not stay as it was in the file.
  if (knownStart !== undefined)
    from.keepWorkingSet = (found) => keepKnownStart(knownStart, factsIn(opened()), found);
  return { plan: snapshot.state.plan, ...(types && { types }), from };
}

/** What of a snapshot is data. */
function factsIn({ about, state, watch, disks, runs, packed }: Snapshot): SnapshotFacts {
  return { about, state, watch, disks, runs, packed };
}

/** Has real-time clocks of the machine show the host's time once it goes on. */
function setCalendar({ about, state: { plan, parts } }: Snapshot): void {
  const missedMs = Math.max(0, Date.now() - about.savedAt);
  for (const { name, type } of plan.devices) {
    if (type !== RTC_TYPE) continue;
    const rtc = parts[name] as Mc146818State;
    rtc.baseSeconds += Math.round(missedMs / MS_PER_SECOND);
  }
}

/** Real time that the machine has not seen: since it was saved, and what it had still to make up then, ns. */
function missedBy({ about, state }: Snapshot): number {
  const before = state.clock.kind === "real" ? state.clock.missedNs : 0;
  return Math.max(0, Date.now() - about.savedAt) * NS_PER_MS + before;
}

/** The part types there are beside those of files to plug in; undefined: those built in alone. */
async function partTypes(files: PlugInFiles | undefined): Promise<PartRegistry | undefined> {
  if (files === undefined) return undefined;
  const { loadPlugIns } = await import("./plug-ins.js");
  return (await loadPlugIns(files)).parts;
}
