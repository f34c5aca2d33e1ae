/**
 * The kernel of a run and where its modules are: a file, a folder in which one was built, or a guest of the catalogue. Loads
 * nothing but the kernel itself.
 */
import { stat } from "node:fs/promises";
import path from "node:path";
import { inputAt, moduleFolder, pullModules, type Input, type ModuleSource } from "../../guests/index.js";
import { recognise } from "../../formats/index.js";
import { InputFileError } from "../failure.js";
import { readInput } from "../files.js";
import { noSuchFile, type Pulling } from "../guest-files.js";
import { DEFAULT_KERNEL } from "./request.js";

/** A kernel that is to be run. */
export interface RunKernel {
  /** For people. */
  name: string;
  bytes: Uint8Array;
  /** `uname -r`, where the image says so. */
  version: string | undefined;
  /** Undefined where no modules were found: what is needed has to be built in. */
  modules: ModuleSource | undefined;
  /** Places where they were looked for, if they were found in none. */
  modulesMissed: readonly string[];
  /** Where symbols may lie, by their paths: System.map and vmlinux. */
  folder: string;
  /**
   * What it and its modules were found by, as it was before it was read: it may be another one when some of that is, or there is
   * something where there was nothing. Grows while modules are read.
   */
  seen: readonly Input[];
}

/** What a build of Linux makes, the best first. */
const BUILT = ["arch/x86/boot/bzImage", "arch/x86_64/boot/bzImage", "vmlinux"];

async function kindOf(file: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await stat(file)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return "file";
  }
}

/** "6.1.0-56-cloud-amd64 (debian-kernel@…) #1 SMP …": the first word. */
function versionOf(bytes: Uint8Array): string | undefined {
  try {
    const image = recognise(bytes);
    return image.format === "bzimage" ? image.version?.split(" ")[0] : undefined;
  } catch {
    // What is wrong with an image is said when it is planned.
    return undefined;
  }
}

/** Where a kernel lacks what a run needs, why that may be; undefined where its modules were missed nowhere. */
export function modulesNotFound(missed: readonly string[]): string | undefined {
  if (missed.length === 0) return undefined;
  return `its modules were found in none of ${missed.join(", ")}; put them there, or name the folder in which the kernel was built`;
}

/** Modules of a kernel that lies in a file: beside it, or where the host has those of its own kernels. */
async function modulesOf(
  file: string,
  version: string | undefined,
  seen: Input[],
): Promise<Pick<RunKernel, "modules" | "modulesMissed">> {
  const folder = path.dirname(path.resolve(file));
  const places =
    version === undefined
      ? []
      : [folder, path.dirname(folder), "/"].map((place) => path.join(place, "lib/modules", version));
  if (path.basename(folder) === version) places.unshift(folder);
  for (const place of places) {
    seen.push(inputAt(place));
    if ((await kindOf(place)) !== "folder") continue;
    const source = await moduleFolder(place, seen);
    if (source !== undefined) return { modules: source, modulesMissed: [] };
  }
  return { modules: undefined, modulesMissed: [...new Set(places)] };
}

async function fromTree(folder: string, signal: AbortSignal | undefined): Promise<RunKernel> {
  const seen: Input[] = [];
  for (const built of BUILT) {
    const file = path.join(folder, built);
    seen.push(inputAt(file));
    if ((await kindOf(file)) !== "file") continue;
    const bytes = await readInput("kernel", file, signal);
    const modules = await moduleFolder(folder, seen);
    return { name: file, bytes, version: versionOf(bytes), modules, modulesMissed: [], folder, seen };
  }
  throw new InputFileError(
    "kernel",
    folder,
    new Error(`a folder without a kernel: there is none of ${BUILT.join(", ")}`),
  );
}

async function fromCatalogue(name: string, pulling: Pulling): Promise<RunKernel> {
  const { GuestError, pullGuest } = await import("../../guests/index.js");
  const guest = await pullGuest(name, pulling);
  if (!Object.hasOwn(guest.files, "kernel"))
    throw new GuestError(
      "usage",
      `the guest ${name} has no kernel: it has ${Object.keys(guest.files).join(", ")}`,
    );
  const file = guest.files["kernel"];
  const seen = [inputAt(file), inputAt(guest.record)];
  const bytes = await readInput("kernel", file, pulling.signal);
  // Of other systems nothing can be loaded: that is said by who finds no virtio.
  const linux = guest.package.startsWith("linux-");
  const modules = linux ? await pullModules(guest, pulling) : undefined;
  return {
    name: file,
    bytes,
    version: versionOf(bytes),
    modules,
    modulesMissed: [],
    folder: path.dirname(file),
    seen,
  };
}

/** Finds and reads the kernel. Throws InputFileError and GuestError, and the reason of `pulling.signal`. */
export async function findKernel(given: string | undefined, pulling: Pulling): Promise<RunKernel> {
  if (given === undefined) return fromCatalogue(DEFAULT_KERNEL, pulling);
  const kind = await kindOf(given);
  if (kind === "folder") return fromTree(given, pulling.signal);
  if (kind === undefined && !given.includes("/")) {
    const { allGuestNames } = await import("../../guests/index.js");
    if (allGuestNames().includes(given)) return fromCatalogue(given, pulling);
    throw new InputFileError("kernel", given, noSuchFile(given, allGuestNames()));
  }
  const seen = [inputAt(given)];
  const bytes = await readInput("kernel", given, pulling.signal);
  const version = versionOf(bytes);
  const found = await modulesOf(given, version, seen);
  return { name: given, bytes, version, ...found, folder: path.dirname(given), seen };
}
