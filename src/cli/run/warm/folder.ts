/**
 * The machines that are kept for runs, in the user's cache. Each is a record that is put in place whole, and the snapshot that it names,
 * which is there before it and stays as it is. Beside that lies what the runs that use it leave for later ones. Nothing is believed that
 * another user could have written.
 *
 * ```
 * ~/.cache/locore/warm/       or $XDG_CACHE_HOME/locore/warm; its user's alone
 *   <key>.json                the record; touched whenever the machine is used
 *   <key>.<random>.snap       the snapshot
 *   <key>.<random>.start      what runs that went on from it had to find out first
 *   <key>.lock                held while a snapshot is written: one beside which nobody holds it, and no record names, is left over
 *   limit.json                how much is kept, where it is not the default
 * ```
 */
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import path from "node:path";
import { natural, oneOf, optional, record, refine, text, type Shape } from "../../../bytes/shape.js";
import { defaultCacheFolder, inputAt, STALE_LOCK_MS } from "../../../guests/light.js";
import { inputsShape, type KeptInput } from "./inputs.js";
import { KEPT_END as RECORD_END, keptMachinesFolder } from "./place.js";

/** What is known of a machine that is kept. */
export interface KeptRecord {
  /** Of this file; another one is not understood. */
  version: 1;
  /** For people: kernel and root. */
  what: string;
  /** What it was made of. */
  inputs: KeptInput[];
  /** What carries folders. */
  sharedOver: "virtiofs" | "9p";
  /** What its console has said, a character a byte, for who is to see it again. */
  said?: string;
  /** The snapshot's file, as it was when it was complete. */
  snapshot: string;
  size: number;
  facts: string;
}

/** How many machines are kept, and how many bytes of them; who was not used for longest goes first. */
export interface KeptLimit {
  count: number;
  bytes: number;
}

export interface KeptMachine {
  key: string;
  record: KeptRecord;
  /** Of its snapshot, and of what lies beside that. */
  bytes: number;
  /** When it was last used, ms since 1970. */
  usedMs: number;
}

export const DEFAULT_LIMIT: KeptLimit = { count: 8, bytes: 2 * 2 ** 30 };

const LIMIT_FILE = "limit.json";
const SNAPSHOT_END = ".snap";
const START_END = ".start";
const LOCK_END = ".lock";
const KEY_LENGTH = 64;
const KEY = /^[0-9a-f]{64}$/;
const SNAPSHOT = /^[0-9a-f]{64}\.[0-9a-f-]{36}\.snap$/;
const START = /^[0-9a-f]{64}\.[0-9a-f-]{36}\.start$/;
const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY = 0o600;
/** What nobody else may do to a file. */
const OTHERS_WRITE = 0o022;
/** What is on its way to be a record or a lock is left over then, ms: nobody writes one for as long. */
const LEFT_OVER_MS = 600_000;
/** What becomes a record, and a lock. */
const ON_ITS_WAY = /\.tmp$|\.lock\.[^/]+$/;
const MOST_RECORD = 4 * 2 ** 20;
const LONGEST_TEXT = 0x10000;
/** Of a console; with `MOST_INPUTS` it fits into a record, whatever its characters are. */
export const MOST_SAID = 2 ** 18;

const recordShape: Shape<KeptRecord> = refine(
  record<KeptRecord>({
    version: oneOf(1),
    what: text(LONGEST_TEXT),
    inputs: inputsShape,
    sharedOver: oneOf("virtiofs", "9p"),
    said: optional(text(MOST_SAID)),
    snapshot: text(LONGEST_TEXT),
    size: natural,
    facts: text(LONGEST_TEXT),
  }),
  ({ snapshot }) =>
    SNAPSHOT.test(snapshot)
      ? undefined
      : { at: ".snapshot", found: JSON.stringify(snapshot), expected: "a name of ours" },
);

const limitShape = record<KeptLimit>({ count: natural, bytes: natural });

/** A folder of kept machines. */
export class KeptMachines {
  private constructor(readonly folder: string) {}

  /** Where they are kept. */
  static folderIn(cache = defaultCacheFolder()): string {
    return keptMachinesFolder(cache);
  }

  /** Makes the folder where it is missing; undefined where there can be none that is this user's alone. */
  static open(cache = defaultCacheFolder()): KeptMachines | undefined {
    const folder = KeptMachines.folderIn(cache);
    try {
      mkdirSync(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
      return isOurs(folder, "folder") ? new KeptMachines(folder) : undefined;
    } catch {
      return undefined;
    }
  }

  pathOf(name: string): string {
    return path.join(this.folder, name);
  }

  /** Guards the writing of the machine of this key. */
  lockFile(key: string): string {
    return this.pathOf(key + LOCK_END);
  }

  /** The record of a key, if its snapshot is as it was written. What is not as it must be is thrown away. */
  find(key: string): KeptRecord | undefined {
    const found = this.#record(key);
    if (found === undefined) return undefined;
    const file = this.pathOf(found.snapshot);
    if (isOurs(file, "file") && inputAt(file).facts === found.facts) return found;
    this.forget(key);
    return undefined;
  }

  /** The file of what runs found out that went on from a machine; undefined where somebody else could have written it. */
  knownStartOf({ snapshot }: KeptRecord): string | undefined {
    const file = this.pathOf(startBeside(snapshot));
    return lstatSync(file, { throwIfNoEntry: false }) === undefined || isOurs(file, "file")
      ? file
      : undefined;
  }

  /** The machine was used now. */
  touch(key: string): void {
    const now = new Date();
    try {
      utimesSync(this.pathOf(key + RECORD_END), now, now);
    } catch {
      // Somebody has thrown it away meanwhile.
    }
  }

  /**
   * Has `write` write a snapshot, and keeps it for `key` in place of what there was. Throws the host's errors; then what there was is
   * still there.
   */
  async keep(
    key: string,
    about: Omit<KeptRecord, "version" | "snapshot" | "size" | "facts">,
    write: (file: string) => Promise<number>,
  ): Promise<void> {
    const snapshot = `${key}.${crypto.randomUUID()}${SNAPSHOT_END}`;
    const file = this.pathOf(snapshot);
    try {
      closeSync(openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, OWNER_ONLY));
      const size = await write(file);
      const { facts = "" } = inputAt(file);
      const kept: KeptRecord = { version: 1, ...about, snapshot, size, facts };
      await this.#write(key + RECORD_END, kept);
    } catch (error) {
      discard(file);
      throw error;
    }
    // What there was before, and what was written now where its record is not believed.
    const named = this.#record(key)?.snapshot;
    for (const name of readdirSync(this.folder))
      if (name.startsWith(key) && name.endsWith(SNAPSHOT_END) && name !== named) this.#discard(name);
    this.trim();
  }

  /** Throws a machine away; one that cannot be removed stays. */
  forget(key: string): void {
    const found = this.#record(key);
    discard(this.pathOf(key + RECORD_END));
    if (found !== undefined) this.#discard(found.snapshot);
  }

  /** Throws a snapshot away, and what lies beside it. */
  #discard(snapshot: string): void {
    discard(this.pathOf(snapshot));
    discard(this.pathOf(startBeside(snapshot)));
  }

  /** What is kept, the last used first. */
  list(): KeptMachine[] {
    const machines: KeptMachine[] = [];
    for (const name of readdirSync(this.folder)) {
      const key = name.slice(0, -RECORD_END.length);
      if (!name.endsWith(RECORD_END) || !KEY.test(key)) continue;
      const found = this.#record(key);
      // Another process may have thrown it away since.
      const usedMs = statSync(this.pathOf(name), { throwIfNoEntry: false })?.mtimeMs;
      if (found === undefined || usedMs === undefined) continue;
      const bytes = found.size + this.#sizeOf(startBeside(found.snapshot));
      machines.push({ key, record: found, bytes, usedMs });
    }
    return machines.sort((a, b) => b.usedMs - a.usedMs);
  }

  get limit(): KeptLimit {
    try {
      return limitShape.check(JSON.parse(readFileSync(this.pathOf(LIMIT_FILE), "utf8")), "");
    } catch {
      return DEFAULT_LIMIT;
    }
  }

  /** Throws the host's errors. */
  async setLimit(limit: KeptLimit): Promise<void> {
    await this.#write(LIMIT_FILE, limit);
    this.trim();
  }

  /**
   * Throws away what is beyond the limit, and what was left over by runs that were ended in the middle of it. What is being written
   * counts, before all that is kept.
   */
  trim(): void {
    const limit = this.limit;
    const writing = this.#sweep();
    let count = writing.length;
    let bytes = writing.reduce((sum, size) => sum + size, 0);
    for (const { key, bytes: own } of this.list()) {
      count++;
      bytes += own;
      if (count > limit.count || bytes > limit.bytes) this.forget(key);
    }
  }

  /** Bytes of a file; 0 where there is none. */
  #sizeOf(name: string): number {
    return statSync(this.pathOf(name), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Throws everything away; how many machines there were. Throws the host's errors. */
  clear(): number {
    const { length } = this.list();
    for (const name of readdirSync(this.folder))
      if (name !== LIMIT_FILE) rmSync(this.pathOf(name), { recursive: true, force: true });
    return length;
  }

  /** Removes what is left over; the bytes of each snapshot that is being written. */
  #sweep(): number[] {
    const writing: number[] = [];
    for (const name of readdirSync(this.folder)) {
      const found = statSync(this.pathOf(name), { throwIfNoEntry: false });
      if (found === undefined) continue;
      const age = Date.now() - found.mtimeMs;
      const isLeft = ON_ITS_WAY.test(name)
        ? age > LEFT_OVER_MS
        : name.endsWith(LOCK_END) && age > STALE_LOCK_MS;
      if (isLeft || (START.test(name) && this.#isAlone(name))) discard(this.pathOf(name));
      if (!SNAPSHOT.test(name)) continue;
      const key = name.slice(0, KEY_LENGTH);
      const isWriting = this.#isLocked(key);
      // Looked at behind the lock: a lock is let go when the record is there.
      if (this.#record(key)?.snapshot === name) continue;
      if (isWriting) writing.push(found.size);
      else this.#discard(name);
    }
    return writing;
  }

  /** Whether the snapshot that this lay beside is gone. */
  #isAlone(start: string): boolean {
    const snapshot = start.slice(0, -START_END.length) + SNAPSHOT_END;
    return statSync(this.pathOf(snapshot), { throwIfNoEntry: false }) === undefined;
  }

  /** Whether a snapshot of this key is being written. */
  #isLocked(key: string): boolean {
    const lock = statSync(this.lockFile(key), { throwIfNoEntry: false });
    return lock !== undefined && Date.now() - lock.mtimeMs <= STALE_LOCK_MS;
  }

  /** A file that is complete or not there. Nobody else may write to it, whatever the umask is. */
  async #write(name: string, what: KeptRecord | KeptLimit): Promise<void> {
    const { replaceFile } = await import("../../../guests/index.js");
    await replaceFile(this.pathOf(name), new TextEncoder().encode(JSON.stringify(what)), OWNER_ONLY);
  }

  #record(key: string): KeptRecord | undefined {
    const file = this.pathOf(key + RECORD_END);
    try {
      const found = lstatSync(file, { throwIfNoEntry: false });
      if (found === undefined) return undefined;
      if (isOurs(file, "file") && found.size <= MOST_RECORD)
        return recordShape.check(JSON.parse(readFileSync(file, "utf8")), "");
    } catch {
      // It is none of ours, or damaged.
    }
    discard(file);
    return undefined;
  }
}

/** The name of what lies beside a snapshot. */
function startBeside(snapshot: string): string {
  return snapshot.slice(0, -SNAPSHOT_END.length) + START_END;
}

/** Removes what is there, if that goes: a folder that cannot be written to keeps no run from its machine. */
function discard(place: string): void {
  try {
    rmSync(place, { recursive: true, force: true });
  } catch {
    // It counts for nothing all the same.
  }
}

/** Whether a file or a folder, no link to one, is this user's and nobody else can write to it. */
function isOurs(place: string, kind: "file" | "folder"): boolean {
  const own = process.getuid?.();
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found === undefined || own === undefined) return false;
  const isKind = kind === "file" ? found.isFile() : found.isDirectory();
  return isKind && found.uid === own && (found.mode & OTHERS_WRITE) === 0;
}
