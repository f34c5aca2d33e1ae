/** From files that were read, and files to plug in, to a plan: in the machine's thread, and for commands that run nothing. */
import { buildPlan } from "../../boot/index.js";
import type { PlannedSource } from "./messages.js";
import type { Planned } from "./serve.js";

/** The plan of a machine, and its part types. Throws what makes it impossible. */
export async function makePlan({ boot, plugIns }: PlannedSource): Promise<Planned> {
  if (plugIns === undefined) return { plan: buildPlan(boot) };
  const { loadPlugIns, withDevices } = await import("./plug-ins.js");
  const loaded = await loadPlugIns(plugIns);
  return { plan: buildPlan(withDevices(boot, loaded), loaded), types: loaded.parts };
}
