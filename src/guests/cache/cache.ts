/**
 * The cache of fetched guests: a folder outside any repository, one record a guest. A record is written last and
 * in one step, names every file with its SHA-256, and is believed only after the files were checked against it.
 * Knows nothing of packages.
 *
 * ```
 * ~/.cache/locore/                 or $XDG_CACHE_HOME/locore
 *   lock                           held while anything below is changed
 *   tmp/                           unfinished work; emptied by whoever holds the lock
 *   apt/<release>-<architecture>/  private state of apt
 *   guests/<name>/guest.json       the record
 *   guests/<name>/<version>/       its files
 *   packages/<SHA-256>.deb         a package; its name is its digest
 *   packages/<SHA-256>.json        which packages a request resolved to; its name is the request's digest
 * ```
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { pipeline } from "node:stream/promises";
import { replaceFile } from "./atomic-file.js";
import { defaultCacheFolder } from "./folder.js";
import { SETTLING_MS } from "./input.js";
import { withLock } from "./lock.js";
import { makeFolder, writing } from "./storage.js";

/** One file of a cached guest. `path` is relative to the guest's folder. */
export interface CachedFile {
  path: string;
  size: number;
  sha256: string;
}

/** What is known about a cached guest. Plain JSON. */
export interface GuestRecord {
  name: string;
  /** The resolved package and version, e.g. `linux-image-6.1.0-56-cloud-amd64`, `6.1.192-2`. */
  package: string;
  version: string;
  /** SHA-256 of the package as the archive's signed index names it. */
  packageSha256: string;
  release: string;
  architecture: string;
  files: Record<string, CachedFile>;
}

const RECORD = "guest.json";
/** What was written so long ago has settled, by clocks of whole ms. */
const SETTLED_MS = SETTLING_MS + 2;

/** SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** SHA-256 of a file's contents, in hexadecimal. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** A version as a folder name: colons (epochs) as apt writes them in file names. */
export function versionFolder(version: string): string {
  return version.replaceAll(":", "%3a").replaceAll("/", "%2f");
}

/** Writes a file and, where they are missing, the folders that it is in; see `replaceFile`. */
export async function writeAtomically(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await replaceFile(file, bytes);
}

/** The cache in one folder. */
export class GuestCache {
  constructor(readonly folder: string = defaultCacheFolder()) {}

  /** The folder of apt's private state. */
  get aptFolder(): string {
    return path.join(this.folder, "apt");
  }

  /** The folder of one guest's files. */
  guestFolder(name: string): string {
    return path.join(this.folder, "guests", name);
  }

  /** Where the record of one guest is. */
  recordFile(name: string): string {
    return path.join(this.guestFolder(name), RECORD);
  }

  /** The record as written, without looking at the files; undefined when there is none that can be read. */
  async record(name: string): Promise<GuestRecord | undefined> {
    try {
      return JSON.parse(await readFile(path.join(this.guestFolder(name), RECORD), "utf8")) as GuestRecord;
    } catch {
      return undefined;
    }
  }

  /** The record, when every file is there and is what was recorded. */
  async verified(name: string): Promise<GuestRecord | undefined> {
    const record = await this.record(name);
    if (!record) return undefined;
    for (const file of Object.values(record.files)) {
      const digest = await sha256OfFile(path.join(this.guestFolder(name), file.path)).catch(() => undefined);
      if (digest !== file.sha256) return undefined;
    }
    return record;
  }

  /** Stores files under the record's version, then the record. `files` are named by role; call with the lock held. */
  async store(
    about: Omit<GuestRecord, "files">,
    files: Record<string, { fileName: string; bytes: Uint8Array }>,
  ): Promise<GuestRecord> {
    const record: GuestRecord = { ...about, files: {} };
    const needed = Object.values(files).reduce((total, { bytes }) => total + bytes.length, 0);
    const folder = this.guestFolder(about.name);
    await writing({ what: `${about.name} ${about.version}`, folder: this.folder, needed }, async () => {
      for (const [role, { fileName, bytes }] of Object.entries(files)) {
        const inside = path.join(versionFolder(about.version), fileName);
        await writeAtomically(path.join(folder, inside), bytes);
        record.files[role] = { path: inside, size: bytes.length, sha256: sha256(bytes) };
      }
      const text = JSON.stringify(record, undefined, 2) + "\n";
      await writeAtomically(path.join(folder, RECORD), new TextEncoder().encode(text));
    });
    return record;
  }

  /**
   * Runs `work` with an empty folder of its own while no other process changes the cache. Ends when a further change of what it wrote
   * would show (input.ts). Throws GuestError "storage" where the cache cannot be written.
   */
  async exclusively<T>(
    work: (temporary: string) => Promise<T>,
    options: { signal?: AbortSignal | undefined; onWait?: (() => void) | undefined } = {},
  ): Promise<T> {
    const lockFile = path.join(this.folder, "lock");
    const temporary = path.join(this.folder, "tmp");
    const run = async (): Promise<T> => {
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary);
      try {
        return await work(temporary);
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    };
    return writing({ what: "the cache of guests", folder: this.folder }, async () => {
      await makeFolder(this.folder);
      const made = await withLock(lockFile, run, options);
      await setTimeout(SETTLED_MS);
      return made;
    });
  }
}
