/**
 * A disk's image with all that lies below it: which format each file has, where a backing file is, and that there is an end. Only the
 * uppermost file is ever written.
 */
import { existsSync, realpathSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import type { BlockBackend } from "../../block/backend.js";
import { OverlayDisk } from "../../block/overlay.js";
import { createQcow2 } from "../../block/qcow2/create.js";
import { Qcow2Disk } from "../../block/qcow2/disk.js";
import { isQcow2, readQcow2Header } from "../../block/qcow2/header.js";
import { RawDisk } from "../../block/raw.js";
import { QCOW2_HEADER, QCOW2_MAGIC } from "../../spec/qcow2.js";
import type { SavedFile } from "../../snapshot/disks.js";
import { DiskError, namingDisk } from "./disk-error.js";
import { DiskFile } from "./disk-file.js";
import type { DiskFlusher } from "./disk-flusher.js";
import { lockDisk, type DiskLock } from "./disk-lock.js";
import type { NativeCalls } from "./native-calls.js";
import type { DiskFormat, DiskRequest } from "./disk-request.js";

/** Images over each other: more than anybody makes by hand. */
const DEEPEST = 64;
const MAGIC = Uint8Array.from(QCOW2_MAGIC);
/** "nbd://…", "json:{…}": QEMU's words for what is no file. */
const PROTOCOL = /^[a-z][a-z0-9+.-]+:/i;
const FILE_PROTOCOL = "file:";

export interface ChainOptions {
  /** Absent: whoever flushes waits. */
  flusher?: DiskFlusher | undefined;
  /** System calls that Node lacks. */
  native?: NativeCalls | undefined;
  /** Whether others are kept from writing. */
  lock: boolean;
}

export class DiskChain {
  readonly #files: DiskFile[] = [];
  readonly #locks: DiskLock[] = [];
  readonly #formats = new Map<DiskFile, DiskFormat>();
  readonly #options: ChainOptions;
  /** Where the files really are. */
  readonly #places = new Set<string>();

  constructor(options: ChainOptions) {
    this.#options = options;
  }

  /** What tells the files from others, and from themselves after a change; the uppermost first. */
  identities(): SavedFile[] {
    return this.#files.map((file) => ({ format: this.#formats.get(file) ?? "raw", ...file.identity() }));
  }

  /** Closes all that is open. */
  close(): void {
    for (const lock of this.#locks.splice(0)) lock.release();
    for (const file of this.#files.splice(0)) file.close();
  }

  /** Throws DiskError; then some of the files may be open. */
  open(request: DiskRequest): BlockBackend {
    const { file, access, overlay, format } = request;
    if (overlay !== undefined) return this.#openOverlay(request, overlay);
    const disk = this.#image(file, format, access === "write");
    if (disk.size === 0) throw emptyDisk(file);
    return access === "memory" ? new OverlayDisk(disk) : disk;
  }

  #openOverlay({ file, format }: DiskRequest, overlay: string): BlockBackend {
    if (!namingDisk(overlay, () => existsSync(overlay))) makeOverlay(overlay, { file, format });
    const below = backingPlace(overlay);
    const wanted = namingDisk(file, () => realpathSync(file));
    if (below !== wanted)
      throw new DiskError(
        overlay,
        QCOW2_HEADER.backingFileOffset,
        below === undefined ? "an image without a backing file" : `an overlay of ${below}`,
        `one of ${wanted}`,
        "Name another overlay, or its own backing file.",
      );
    return this.#image(overlay, "qcow2", true);
  }

  /** A file and what lies below. */
  #image(name: string, format: string | undefined, write: boolean): BlockBackend {
    return namingDisk(name, () => {
      const place = realpathSync(name);
      if (this.#places.has(place))
        throw new DiskError(
          name,
          QCOW2_HEADER.backingFileOffset,
          "a file that lies below itself",
          "a chain with an end",
          "qemu-img rebase mends it.",
        );
      if (this.#places.size >= DEEPEST)
        throw new DiskError(
          name,
          undefined,
          `${DEEPEST} images over each other`,
          "fewer",
          "qemu-img convert makes one of them.",
        );
      this.#places.add(place);
      const { flusher, native, lock } = this.#options;
      const file = new DiskFile(name, { write, flusher, native });
      this.#files.push(file);
      if (lock) this.#locks.push(lockDisk(file, write ? "write" : "read", native));
      const found = format ?? probe(file);
      if (found === "raw") return new RawDisk(file, format === undefined ? { refusedMagic: MAGIC } : {});
      if (found !== "qcow2")
        throw new DiskError(
          name,
          undefined,
          `the format ${found}`,
          "raw or qcow2",
          "qemu-img convert makes one of these.",
        );
      this.#formats.set(file, found);
      const header = readQcow2Header(file);
      if (header.backing === undefined) return new Qcow2Disk(file, { header });
      const { name: below, format: belowFormat } = header.backing;
      return new Qcow2Disk(file, { header, backing: this.#image(resolved(name, below), belowFormat, false) });
    });
  }
}

/** A guest could do nothing with it, and would not say why: most often a file that is still to be made a disk. */
function emptyDisk(file: string): DiskError {
  return new DiskError(
    file,
    undefined,
    "a disk of 0 bytes",
    "one with sectors",
    "Give it its size first: truncate -s 1G makes a file one of 1 GiB.",
  );
}

/** What a file begins like. */
function probe(file: DiskFile): DiskFormat {
  const start = new Uint8Array(Math.min(MAGIC.length, file.size));
  file.read(0, start);
  return isQcow2(start) ? "qcow2" : "raw";
}

function probed(name: string): DiskFormat {
  const file = new DiskFile(name, { write: false });
  try {
    return probe(file);
  } finally {
    file.close();
  }
}

/** Where an image's backing file is: relative to the image. Throws DiskError for what is no file. */
function resolved(image: string, backing: string): string {
  const name = backing.startsWith(FILE_PROTOCOL) ? backing.slice(FILE_PROTOCOL.length) : backing;
  if (PROTOCOL.test(name) && !path.isAbsolute(name))
    throw new DiskError(
      image,
      QCOW2_HEADER.backingFileOffset,
      `the backing file ${name}`,
      "a file",
      "qemu-img rebase names another.",
    );
  return path.resolve(path.dirname(image), name);
}

/** Where the backing file of an overlay really is; undefined where it has none. */
function backingPlace(overlay: string): string | undefined {
  return namingDisk(overlay, () => {
    const file = new DiskFile(overlay, { write: false });
    try {
      const { backing } = readQcow2Header(file);
      return backing && realpathSync(resolved(overlay, backing.name));
    } finally {
      file.close();
    }
  });
}

/** A new overlay, which is there whole or not at all. It names what is below as it was named here: from its own folder, or from /. */
function makeOverlay(
  overlay: string,
  { file, format }: { file: string; format: DiskFormat | undefined },
): void {
  const below = new DiskChain({ lock: false });
  const partial = path.join(path.dirname(overlay), `.${path.basename(overlay)}.${crypto.randomUUID()}.tmp`);
  try {
    const { size } = below.open({ file, access: "read", ...(format && { format }) });
    const known = format ?? probed(file);
    const name = path.isAbsolute(file)
      ? file
      : path.relative(path.dirname(path.resolve(overlay)), path.resolve(file));
    namingDisk(overlay, () => {
      const made = new DiskFile(partial, { write: true, create: true });
      try {
        createQcow2(made, { size, backing: { name, format: known } });
      } finally {
        made.close();
      }
      renameSync(partial, overlay);
    });
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    below.close();
  }
}
