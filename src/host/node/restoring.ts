/** From a snapshot's file to what its machine is made from, in the machine's thread. */
import type { PartRegistry } from "../../devices/registry.js";
import { openSnapshot } from "../../snapshot/read.js";
import type { SnapshotToRestore } from "./messages.js";
import type { PlugInFiles } from "./plug-ins.js";
import type { Planned } from "./serve.js";
import { FAST_READING, openSnapshotFile } from "./snapshot-file.js";

const NS_PER_MS = 1e6;

/** Throws SnapshotError, and the host's errors. */
export async function restore({ snapshot: path, clock, plugIns }: SnapshotToRestore): Promise<Planned> {
  const types = await partTypes(plugIns);
  // Open for as long as the thread lives: RAM is read once the engine has made it.
  const file = openSnapshotFile(path);
  const snapshot = openSnapshot(file, { ...FAST_READING, ...(types && { types }) });
  const missedNs = clock === "jump" ? Math.max(0, Date.now() - snapshot.about.savedAt) * NS_PER_MS : 0;
  return { plan: snapshot.state.plan, ...(types && { types }), from: { snapshot, missedNs } };
}

/** The part types there are beside those of files to plug in; undefined: those built in alone. */
async function partTypes(files: PlugInFiles | undefined): Promise<PartRegistry | undefined> {
  if (files === undefined) return undefined;
  const { loadPlugIns } = await import("./plug-ins.js");
  return (await loadPlugIns(files)).parts;
}
