/** From a request to what a machine is planned from, and to its plan for commands that run nothing. */
import type { BootOptions, NamedBytes } from "../boot/options.js";
import type { Plan } from "../boot/plan.js";
import { lateBuiltin } from "../host/node/late-builtin.js";
import type { PlannedSource } from "../host/node/messages.js";
import { bootOptions } from "./boot-options.js";
import type { BootRequest } from "./boot-request.js";
import { withDisk } from "./disk-boot.js";
import { ChangedFileError } from "./failure.js";
import { readInput } from "./files.js";

/** A request with its files read; what is plugged in is loaded where the machine is planned. */
export async function machineSource(request: BootRequest, signal?: AbortSignal): Promise<PlannedSource> {
  const { request: whole, files, hints } = await withDisk(request);
  const boot = await bootOptions(whole, signal, files);
  if (hints !== undefined) boot.disk = hints;
  if (request.digests !== undefined) await checkDigests(request, boot, request.digests);
  const { plugIns, diskFiles, sharedFolders } = whole;
  return {
    boot,
    ...(plugIns && { plugIns }),
    ...(diskFiles && { disks: diskFiles }),
    ...(sharedFolders && { shares: sharedFolders }),
  };
}

/** The plan of a request. Throws what makes it impossible. */
export async function makePlan(request: BootRequest): Promise<Plan> {
  const { makePlan: planOf } = await import("../host/node/make-plan.js");
  return (await planOf(await machineSource(request))).plan;
}

/** SHA-256 in hex. */
export function sha256(bytes: Uint8Array): string {
  return lateBuiltin("node:crypto").createHash("sha256").update(bytes).digest("hex");
}

/** The files that a machine is planned from, as they were read. */
export function filesOf({ kernel, initrd, modules = [], bios, vgaRom }: BootOptions): NamedBytes[] {
  return [kernel, initrd, ...modules, bios, vgaRom].filter((file) => file !== undefined);
}

/** The files of devices and loaders. */
export async function plugInFiles({ plugIns }: BootRequest): Promise<NamedBytes[]> {
  if (plugIns === undefined) return [];
  const names = new Set([...plugIns.devices.map(({ file }) => file), ...plugIns.loaders]);
  return Promise.all([...names].map(async (name) => ({ name, bytes: await readInput("plug-in", name) })));
}

async function checkDigests(
  request: BootRequest,
  boot: BootOptions,
  digests: ReadonlyMap<string, string>,
): Promise<void> {
  for (const { name, bytes } of [...filesOf(boot), ...(await plugInFiles(request))]) {
    const expected = digests.get(name);
    if (expected !== undefined && sha256(bytes) !== expected) throw new ChangedFileError(name);
  }
}
