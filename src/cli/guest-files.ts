/**
 * A guest of the catalogue named where a file is expected: `locore boot debian-cloud`. A file of that name comes first;
 * otherwise the guest is taken from the cache or fetched. Knows which of a guest's files is meant where.
 */
import { stat as statWith } from "node:fs";
import { promisify } from "node:util";
import type { PullOptions } from "../guests/index.js";
import type { BootRequest, ModulePath } from "./boot-request.js";
import { closest } from "./closest.js";
import { InputFileError } from "./failure.js";

/** As that of `node:fs/promises`, which would be loaded for it in every start. */
const stat = promisify(statWith);

export type Pulling = Pick<PullOptions, "progress" | "signal">;

/** What a file is to be, and which of a guest's files that is: the first role that it has. */
export interface Wanted {
  what: string;
  roles: readonly string[];
}

export const KERNEL: Wanted = { what: "kernel", roles: ["kernel", "bios"] };
export const INITRD: Wanted = { what: "initrd", roles: ["initrd"] };
const MODULE: Wanted = { what: "module", roles: ["kernel", "initrd"] };
const BIOS: Wanted = { what: "BIOS", roles: ["bios"] };
const VGA_BIOS: Wanted = { what: "VGA BIOS", roles: ["vgabios"] };

/** A file, a device or a pipe of that name; a folder is none. What cannot be looked at is left to whoever reads it. */
export async function isThere(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** Whether it could be the name of a guest rather than a path. */
function isPlainName(given: string): boolean {
  return !/[\\/]/.test(given);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** What is neither a file nor a guest, with what was probably meant. */
export function noSuchFile(given: string, guests: readonly string[]): Error {
  const guess = closest(given, guests);
  const hint =
    guess === undefined ? "locore guests list names the guests" : `did you mean the guest ${guess}?`;
  return new Error(`no such file or folder, and no guest of that name\n        ${hint}`);
}

/**
 * The path of a file that was named by itself or by a guest. Throws InputFileError for a name that is neither, and GuestError when the
 * guest has no such file or cannot be had; a path at which nothing is is the reader's to report.
 */
export async function guestFile({ what, roles }: Wanted, given: string, pulling: Pulling): Promise<string> {
  if (!isPlainName(given) || (await isThere(given))) return given;
  const { allGuestNames, GuestError, pullGuest } = await import("../guests/index.js");
  if (!allGuestNames().includes(given)) {
    if (await isFolder(given)) return given;
    throw new InputFileError(what, given, noSuchFile(given, allGuestNames()));
  }
  const { files } = await pullGuest(given, pulling);
  const role = roles.find((name) => Object.hasOwn(files, name));
  if (role !== undefined) return files[role];
  const has = Object.keys(files).join(", ");
  throw new GuestError("usage", `${what} ${given}: the guest ${given} has no ${what}: it has ${has}`);
}

/** A request with a path wherever it names a guest. Throws as `guestFile` does. */
export async function withGuestFiles(request: BootRequest, pulling: Pulling): Promise<BootRequest> {
  const found: BootRequest = { ...request, kernel: await guestFile(KERNEL, request.kernel, pulling) };
  if (request.initrd !== undefined) found.initrd = await guestFile(INITRD, request.initrd, pulling);
  if (request.bios !== undefined && request.bios !== "on")
    found.bios = await guestFile(BIOS, request.bios, pulling);
  if (request.vgaRom !== undefined && request.vgaRom !== "on" && request.vgaRom !== "off")
    found.vgaRom = await guestFile(VGA_BIOS, request.vgaRom, pulling);
  if (request.modules !== undefined) {
    const modules: ModulePath[] = [];
    for (const { path, commandLine } of request.modules)
      modules.push({ path: await guestFile(MODULE, path, pulling), commandLine });
    found.modules = modules;
  }
  return found;
}
