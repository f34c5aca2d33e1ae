/**
 * The machine's thread from a few scripts, with what the JavaScript engine made of them in an earlier start. Node's own means keep a file
 * as it was when it was loaded, before any function of it was called; here those are kept that had been called by the time a machine ran.
 * Where that cannot be, nothing is kept and nothing is said. The build makes a file of its own of this, which starts the thread.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Module } from "node:module";
import path from "node:path";
import { Script } from "node:vm";
import { keptFolder } from "./compiled-code.js";
import { lateBuiltin } from "./late-builtin.js";
import { partLoader, type PartTables } from "./part-loader.js";

/**
 * What was kept: the script's id, and the rest twice. V8 itself does not look whether that is damaged, and two copies are compared sooner
 * than Node's zlib, which has a checksum, is loaded.
 */
const ID_LENGTH = 16;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** Where the two copies of this file in a thread, the one that starts it and the thread's own, find each other. */
const HOOK = Symbol.for("locore: keeps what was compiled");
/** Has what a function makes made with the JavaScript engine's flags as they were at first. */
export type AsAtFirst = <T>(make: () => T) => T;
type Global = { [HOOK]?: ((asAtFirst: AsAtFirst) => void)[] };

interface Kept {
  file: string;
  id: string;
}

/** The scripts of a thread, and the files of what is in none. */
interface ScriptsOfParts extends Pick<PartTables, "folder" | "packs"> {
  /**
   * By its file's name: another id for every other text, `ID_LENGTH` characters of ASCII. The first one has what the thread begins with,
   * the others are among `packs`.
   */
  scripts: Readonly<Record<string, string | undefined>>;
  /** The file by whose name modules find the parts. */
  loader: string;
  /** What the thread is for: what is called on the way there is another thing. */
  purpose: string;
}

const NO_ROOM = Buffer.alloc(0);
/** Room for files, used again and again: what a process touches for the first time takes longer than reading does. */
let room = NO_ROOM;
/** Enough for a thread's first script, and what was kept of it. */
const LEAST_ROOM = 1 << 21;
/** Bytes of one copy that are compared with the other's at a time. */
const COMPARED_AT_ONCE = 1 << 16;

/** So many bytes of room, until it is asked for again. */
function roomFor(bytes: number): Buffer {
  if (room.length < bytes) room = Buffer.allocUnsafeSlow(Math.max(bytes, LEAST_ROOM));
  return room.subarray(0, bytes);
}

/** Fills `into` from `position` on. Throws where less is there. */
function readWhole(descriptor: number, into: Buffer, position: number): void {
  if (readSync(descriptor, into, 0, into.length, position) !== into.length) throw new Error("cut off");
}

/** What `read` makes of an open file of so many bytes. Throws the host's errors. */
function withFile<T>(file: string, read: (descriptor: number, bytes: number) => T): T {
  const descriptor = openSync(file, "r");
  try {
    return read(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

/** A file of text that holds ASCII alone. */
function readAscii(file: string): string {
  return withFile(file, (descriptor, bytes) => {
    const text = roomFor(bytes);
    readWhole(descriptor, text, 0);
    return text.toString("latin1");
  });
}

/** It is in `room`. */
function readKept({ file, id }: Kept): Buffer | undefined {
  try {
    return withFile(file, (descriptor, bytes) => {
      const length = (bytes - ID_LENGTH) / 2;
      if (!(length > 0) || !Number.isInteger(length)) return undefined;
      const all = roomFor(ID_LENGTH + length + COMPARED_AT_ONCE);
      const first = all.subarray(0, ID_LENGTH + length);
      readWhole(descriptor, first, 0);
      if (first.toString("latin1", 0, ID_LENGTH) !== id) return undefined;
      const data = first.subarray(ID_LENGTH);
      for (let at = 0; at < length; at += COMPARED_AT_ONCE) {
        const other = all.subarray(first.length, first.length + Math.min(COMPARED_AT_ONCE, length - at));
        readWhole(descriptor, other, first.length + at);
        if (other.compare(data, at, at + other.length) !== 0) return undefined;
      }
      return data;
    });
  } catch {
    return undefined;
  }
}

function forget(file: string): void {
  try {
    rmSync(file);
  } catch {
    // It was not even begun.
  }
}

function writeKept({ file, id }: Kept, data: Buffer): void {
  const partial = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: OWNER_ONLY_FOLDER });
    writeFileSync(partial, Buffer.concat([Buffer.from(id, "latin1"), data, data]), { mode: OWNER_ONLY });
    renameSync(partial, file);
  } catch {
    forget(partial);
  }
}

/** Has `keepScripts` write what was compiled of a script. */
function offerToKeep(kept: Kept, script: Script): void {
  const { cachedDataVersionTag } = lateBuiltin("node:v8");
  const tag = cachedDataVersionTag();
  ((globalThis as Global)[HOOK] ??= []).push((asAtFirst) => {
    asAtFirst(() => {
      // With other flags it would be refused, and made anew in every start.
      if (cachedDataVersionTag() === tag) writeKept(kept, script.createCachedData());
    });
  });
}

function compiled(name: string, { folder, scripts, purpose }: ScriptsOfParts): Script {
  const filename = path.join(folder, name);
  const source = readAscii(filename);
  const keptIn = keptFolder();
  if (keptIn === undefined) return new Script(source, { filename });
  const { version, arch } = process;
  const file = path.join(keptIn, `${path.parse(name).name}-${purpose}-${version}-${arch}`);
  const kept = { file, id: scripts[name]! };
  const cachedData = readKept(kept);
  const script = new Script(source, { filename, ...(cachedData && { cachedData }) });
  if (cachedData === undefined || script.cachedDataRejected === true) offerToKeep(kept, script);
  return script;
}

/**
 * Runs the first script of parts, an object of them by the names that they call each other by, and then the one of the name `entry`. What
 * requires the loader's file gets what they load each other by.
 */
export function runScriptsOfParts(what: ScriptsOfParts, entry: string, require: NodeJS.Require): void {
  const { folder, packs, scripts } = what;
  const run = new Map<string, PartTables["parts"]>();
  const partsOf = (name: string): PartTables["parts"] => {
    const parts = run.get(name) ?? (compiled(name, what).runInThisContext() as PartTables["parts"]);
    run.set(name, parts);
    return parts;
  };
  const [first] = Object.keys(scripts);
  // Few scripts are read behind that.
  ((globalThis as Global)[HOOK] ??= []).push(() => (room = NO_ROOM));
  const loadFile = (name: string): unknown => (name in scripts ? partsOf(name) : require(name));
  const load = partLoader({ folder, parts: partsOf(first), packs }, loadFile);
  const filename = path.join(folder, what.loader);
  const module = new Module(filename);
  Object.assign(module, { filename, loaded: true, exports: load });
  require.cache[filename] = module;
  load(entry);
}

/** Keeps what was compiled of this thread's scripts by now, if it was not kept before. Costs some 20 ms then, else next to nothing. */
export function keepScripts(asAtFirst: AsAtFirst): void {
  for (const keep of (globalThis as Global)[HOOK]?.splice(0) ?? []) keep(asAtFirst);
}
