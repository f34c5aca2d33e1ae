/**
 * A disk that is booted from: as the kernel operand, which boots what the disk itself would, or beside a kernel, which is told where its
 * root is. What the command line says comes before what the disk says.
 */
import { existsSync } from "node:fs";
import type { DiskHints } from "../boot/disk-words.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import type { BootRequest } from "./boot-request.js";
import { diskImage, openDisk, type DiskImage } from "./disk-image.js";
import { InputFileError } from "./failure.js";
import { parseDisk } from "./disk-option.js";

/** A request of which a disk has said its part. */
export interface WithDisk {
  request: BootRequest;
  /** Files that were read from the disk, by the names that the request has for them. */
  files?: ReadonlyMap<string, Uint8Array>;
  hints?: DiskHints;
}

/** Puts in what a disk says. A request without one is left as it is. Throws DiskError. */
export async function withDisk(request: BootRequest): Promise<WithDisk> {
  const asked = kernelDisk(request);
  const image = asked && (await diskImage(asked));
  if (asked !== undefined && image !== undefined) return fromDisk(request, asked, image);
  const { diskFiles = [] } = request;
  const index = diskFiles.findIndex(({ root }) => root === true);
  if (index < 0) return { request };
  const disk = diskFiles[index];
  return { request, hints: { name: disk.file, roots: await rootsOf(disk, index) } };
}

/** The kernel operand as a disk: one that is given as a disk as well is taken as it is there. */
function kernelDisk({ kernel, diskFiles = [], bios }: BootRequest): DiskRequest | undefined {
  if (bios !== undefined) return undefined;
  const given = diskFiles.find(({ file }) => file === kernel);
  if (given !== undefined) return { ...given, root: true };
  if (existsSync(kernel)) return { file: kernel, access: "memory", root: true };
  if (!kernel.includes(",")) return undefined;
  const disk = parseDisk(kernel);
  return existsSync(disk.file) ? { ...disk, root: true } : undefined;
}

async function rootsOf(request: DiskRequest, index: number): Promise<DiskHints["roots"]> {
  const { rootWords } = await import("../boot/disk-root.js");
  const { namingDisk } = await import("../host/node/disk-error.js");
  const { file, overlay } = request;
  const image = overlay === undefined ? await diskImage(request) : await openDisk(request);
  if (image === undefined) throw await noRootDisk(file);
  try {
    return namingDisk(file, () => rootWords(image.disk, index));
  } finally {
    image.close();
  }
}

/** Most who give a second file mean an initrd. */
async function noRootDisk(file: string): Promise<Error> {
  if (!existsSync(file)) return new InputFileError("disk", file, new Error("no such file"));
  const { DiskError } = await import("../host/node/disk-error.js");
  return new DiskError(
    file,
    0,
    "no partition table and no file system",
    "a disk with a root file system behind the kernel",
    "An initrd is given with --initrd FILE, an empty disk with --disk FILE.",
  );
}

async function fromDisk(request: BootRequest, asked: DiskRequest, image: DiskImage): Promise<WithDisk> {
  const [{ rootWords }, { loadFromDisk, NothingToBoot }, { DiskError, namingDisk }] = await Promise.all([
    import("../boot/disk-root.js"),
    import("../disk/boot-entries/load.js"),
    import("../host/node/disk-error.js"),
  ]);
  const { file } = asked;
  try {
    const others = (request.diskFiles ?? []).filter((one) => one.file !== file);
    const { found, roots } = namingDisk(file, () => ({
      found: loadFromDisk(image.disk),
      roots: rootWords(image.disk),
    }));
    const { title, kernel, initrd, why } = found;
    const named = (path: string): string => `${file}:${path}`;
    const files = new Map([[named(kernel.path), kernel.bytes]]);
    const whole: BootRequest = { ...request, kernel: named(kernel.path), diskFiles: [asked, ...others] };
    if (request.initrd === undefined && initrd !== undefined) {
      files.set(named(initrd.path), initrd.bytes);
      whole.initrd = named(initrd.path);
    }
    const line = request.commandLine === undefined && found.commandLine !== undefined;
    if (found.commandLine !== undefined) whole.commandLine ??= found.commandLine;
    const what = `${kernel.path}${initrd === undefined ? "" : ` with ${initrd.path}`} of ${file}`;
    return {
      request: whole,
      files,
      hints: { name: file, roots, own: { what, why: `"${title}" by ${why}`, line } },
    };
  } catch (error) {
    if (!(error instanceof NothingToBoot)) throw error;
    const { offset, found, expected, meaning } = error;
    throw new DiskError(file, offset, found, expected, meaning);
  } finally {
    image.close();
  }
}
