/**
 * Which runs go on from a machine that an earlier one left waiting for its command, and from which. Everything that the guest has seen by
 * then is in the key, or is a file that has to be as it was. Reads no kernel.
 */
import path from "node:path";
import { sha256 } from "../../../codecs/sha256.js";
import { inputAt, isUnchanged, type Input, type RunCommandOptions } from "../../../guests/light.js";
import type { SnapshotToRestore } from "../../../host/node/messages.js";
import type { MachineCopy } from "../../../snapshot/write.js";
import { fileReason } from "../../failure.js";
import {
  assemble,
  commandLine,
  commandOptions,
  type Assembly,
  type RunGuest,
  type StreamKinds,
} from "../guest.js";
import { DEFAULT_KERNEL, type RunRequest } from "../request.js";
import { buildId } from "./build-id.js";
import { KeptMachines, type KeptRecord } from "./folder.js";
import { changedInput, settledInputs } from "./inputs.js";

/** Grows with every change of what a key is made of. */
const KEY_VERSION = 2;

/** A machine that waits for its command. */
export interface WarmGuest {
  source: SnapshotToRestore;
  command: RunCommandOptions;
  /** What its console has said, a character a byte, where that was kept. */
  said?: string;
}

/** A place where a machine may be kept. */
export interface Keep {
  machines: KeptMachines;
  key: string;
  what: string;
  /** What was where the kernel may be a file's, when the key was made. */
  named: Input | undefined;
}

/** What a run finds. */
export interface Found {
  /** Absent: it boots. */
  warm?: WarmGuest;
  /** Absent: nothing is kept of it. */
  keep?: Keep;
  /** Why it boots. */
  reason?: string;
}

/** What keeps a run from being warm, whatever is kept. */
export function neverWarm(request: RunRequest, made: Assembly): string | undefined {
  if (request.cold) return request.serving === true ? "cold: true" : "--cold";
  if (request.gdb !== undefined) return "--gdb looks at the boot";
  if (request.log !== undefined) return "--log has the messages of the boot";
  const { net } = request;
  if (net !== undefined && "cable" in net && net.hasOwnMac)
    return "the card's address is another in each run: mac= says one";
  if (made.disks.length > 0) return "a disk may be another in each run";
  return undefined;
}

/** A file counts before a guest of the same name, and a name is the same one in every folder. */
function kernelKey(kernel: string | undefined): readonly string[] {
  if (kernel === undefined) return ["guest", DEFAULT_KERNEL];
  const isName = !kernel.includes("/") && inputAt(kernel).kind === "none";
  return isName ? ["guest", kernel] : ["file", path.resolve(kernel)];
}

/** Texts and numbers in a fixed order, as one text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/** All that decides what a guest sees before its command, but for contents of files. */
export function keyOf(request: RunRequest, made: Assembly, kinds: StreamKinds, build: string): string {
  const { kernel, root, serving, cpus, memory, engine, jit, net } = request;
  const facts = {
    version: KEY_VERSION,
    build,
    kernel: kernelKey(kernel),
    packages: root.kind === "packages" ? root.packages : null,
    modules: [made.modules, made.optional],
    shares: made.shares.map(({ tag, access, cache }) => [tag, access, cache]),
    commandLine: commandLine(request),
    card: net?.card ?? null,
    machine: [cpus ?? null, memory ?? null, engine, jit ?? null],
    streams: [kinds.terminal, kinds.separateErrors],
    serving: serving === true,
  };
  const digest = sha256(new TextEncoder().encode(canonical(facts)));
  return Buffer.from(digest).toString("hex");
}

/** The machine of a record, as this run wants it. */
function warmGuest(
  machines: KeptMachines,
  record: KeptRecord,
  { request, made, kinds }: { request: RunRequest; made: Assembly; kinds: StreamKinds },
): WarmGuest {
  if (record.sharedOver === "9p") made.overNineP();
  const knownStart = machines.knownStartOf(record);
  const snapshot = machines.pathOf(record.snapshot);
  return {
    source: { snapshot, clock: "set", lasts: true, ...(knownStart && { knownStart }), shares: made.shares },
    command: commandOptions(request, made, kinds),
    ...(record.said !== undefined && { said: record.said }),
  };
}

/** Throws what a root or a folder is refused by. */
export async function findKept(request: RunRequest, kinds: StreamKinds): Promise<Found> {
  const made = await assemble(request);
  const never = neverWarm(request, made);
  if (never !== undefined) return { reason: never };
  const build = buildId();
  if (build === undefined) return { reason: "this build has no name" };
  const machines = KeptMachines.open();
  if (machines === undefined) return { reason: "the cache is not this user's alone, or cannot be written" };
  const named = request.kernel === undefined ? undefined : inputAt(request.kernel);
  const key = keyOf(request, made, kinds, build);
  const served = request.serving === true ? ", Vm.start" : "";
  const what = `${request.kernel ?? DEFAULT_KERNEL}, ${request.root.kind}${served}`;
  const keep: Keep = { machines, key, what, named };
  const found = machines.find(key);
  if (found === undefined) return { keep, reason: "no machine like this was kept" };
  const changed = changedInput(found.inputs);
  if (changed !== undefined) return { keep, reason: `${changed} was changed` };
  machines.touch(key);
  return { keep, warm: warmGuest(machines, found, { request, made, kinds }) };
}

/** What is kept of a machine, by what is known before it is copied. */
export interface Room {
  /** Bytes of its memory that may be kept; 0: nothing is. */
  most: number;
  /** Why nothing is. */
  notKept?: string;
}

/** How much of the machine of a run may be kept. */
export function roomToKeep({ machines }: Keep, { seen }: RunGuest): Room {
  const { count, bytes } = machines.limit;
  if (count === 0 || bytes === 0) return { most: 0, notKept: "the limit is none (locore cache limit)" };
  const { unsettled } = settledInputs(seen);
  return unsettled === undefined ? { most: bytes } : { most: 0, notKept: unsettled };
}

/** Keeps the copy of a machine for the next run like this one, or says why not. `said`: by its console until then, a character a byte. */
export async function keepCopy(
  { machines, key, what, named }: Keep,
  { seen, sharedOver }: RunGuest,
  copy: MachineCopy,
  said?: string,
): Promise<string | undefined> {
  const { count, bytes } = machines.limit;
  if (count === 0 || copy.pages.length > bytes) return "it is beyond the limit (locore cache limit)";
  if (named !== undefined && !isUnchanged(named)) return `${named.path} was changed just now`;
  const { inputs, unsettled } = settledInputs(seen);
  if (unsettled !== undefined) return unsettled;
  const [{ writeCopy }, { withFreeLock }] = await Promise.all([
    import("../../../host/node/copy-file.js"),
    import("../../../guests/index.js"),
  ]);
  try {
    const isOurs = await withFreeLock(machines.lockFile(key), () =>
      machines.keep(key, { what, inputs, sharedOver, ...(said !== undefined && { said }) }, (file) =>
        writeCopy(file, copy),
      ),
    );
    return isOurs ? undefined : "another run is keeping one like it";
  } catch (error) {
    return `${machines.folder}: ${fileReason(error)}`;
  }
}
