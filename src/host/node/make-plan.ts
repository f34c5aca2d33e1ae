/** From files that were read, and files to plug in, to a plan: in the machine's thread, and for commands that run nothing. */
import { buildPlan } from "../../boot/index.js";
import type { BootDisk, BootOptions, BootShare } from "../../boot/options.js";
import { engineCapabilities } from "./engines.js";
import type { DiskRequest } from "./disk-request.js";
import type { ShareRequest } from "./share-request.js";
import type { PlannedSource } from "./messages.js";
import type { Planned } from "./serve.js";

/** The plan of a machine for the engine of a name, and its part types. Throws what makes it impossible. */
export async function makePlan(
  { boot: asked, plugIns, disks = [], shares = [] }: PlannedSource,
  engineName: string = "auto",
): Promise<Planned> {
  const engine = await engineCapabilities(engineName);
  const boot: BootOptions = {
    ...asked,
    ...(disks.length > 0 && { disks: await factsOf(disks) }),
    ...(shares.length > 0 && { shares: await factsOfShares(shares) }),
  };
  if (plugIns === undefined) return { plan: buildPlan(boot, { engine }) };
  const { loadPlugIns, withDevices } = await import("./plug-ins.js");
  const loaded = await loadPlugIns(plugIns);
  return { plan: buildPlan(withDevices(boot, loaded), { ...loaded, engine }), types: loaded.parts };
}

async function factsOf(disks: readonly DiskRequest[]): Promise<BootDisk[]> {
  return (await import("./disks.js")).diskFacts(disks);
}

async function factsOfShares(shares: readonly ShareRequest[]): Promise<BootShare[]> {
  return (await import("./shares.js")).shareFacts(shares);
}
