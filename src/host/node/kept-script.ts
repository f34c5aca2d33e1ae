/**
 * The machine's thread from one script, with what the JavaScript engine made of it in an earlier start. Node's own means keep a file as
 * it was when it was loaded, before any function of it was called; here those are kept that had been called by the time a machine ran.
 * Where that cannot be, nothing is kept and nothing is said. The build makes a file of its own of this, which starts the thread.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Module } from "node:module";
import path from "node:path";
import { Script } from "node:vm";
import { keptFolder } from "./compiled-code.js";
import { lateBuiltin } from "./late-builtin.js";
import { partLoader, type PartTables } from "./part-loader.js";

/** What was kept: the script's id, the CRC-32 of the rest, the rest. V8 itself does not look whether that is damaged. */
const ID_LENGTH = 16;
const CRC_AT = ID_LENGTH;
const DATA_AT = CRC_AT + 4;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** In Node 20.15 and later; before, nothing is kept. */
const { crc32 } = lateBuiltin("node:zlib");

/** Where the two copies of this file in a thread, the one that starts it and the thread's own, find each other. */
const HOOK = Symbol.for("locore: keeps what was compiled");
/** Has what a function makes made with the JavaScript engine's flags as they were at first. */
export type AsAtFirst = <T>(make: () => T) => T;
type Global = { [HOOK]?: (asAtFirst: AsAtFirst) => void };

interface Kept {
  file: string;
  id: string;
}

/** A script of parts, and the files of the others. */
interface ScriptOfParts extends Pick<PartTables, "folder" | "packs"> {
  name: string;
  /** Another one for every other text; `ID_LENGTH` characters of ASCII. */
  id: string;
  /** The file by whose name modules find the parts. */
  loader: string;
  /** What the thread is for: what is called on the way there is another thing. */
  purpose: string;
}

function readKept({ file, id }: Kept): Buffer | undefined {
  try {
    const bytes = readFileSync(file);
    const data = bytes.subarray(DATA_AT);
    const right = bytes.length > DATA_AT && bytes.toString("latin1", 0, ID_LENGTH) === id;
    return right && crc32?.(data) === bytes.readUInt32LE(CRC_AT) ? data : undefined;
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
  const head = Buffer.alloc(DATA_AT, id, "latin1");
  head.writeUInt32LE(crc32!(data), CRC_AT);
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: OWNER_ONLY_FOLDER });
    writeFileSync(partial, Buffer.concat([head, data]), { mode: OWNER_ONLY });
    renameSync(partial, file);
  } catch {
    forget(partial);
  }
}

/** Has `keepScript` write what was compiled of a script. */
function offerToKeep(kept: Kept, script: Script): void {
  const { cachedDataVersionTag } = lateBuiltin("node:v8");
  const tag = cachedDataVersionTag();
  (globalThis as Global)[HOOK] = (asAtFirst) => {
    delete (globalThis as Global)[HOOK];
    asAtFirst(() => {
      // With other flags it would be refused, and made anew in every start.
      if (cachedDataVersionTag() === tag) writeKept(kept, script.createCachedData());
    });
  };
}

function compiled(file: string, { name, id, purpose }: ScriptOfParts): Script {
  const source = readFileSync(file, "latin1");
  const folder = crc32 === undefined ? undefined : keptFolder();
  if (folder === undefined) return new Script(source, { filename: file });
  const { version, arch } = process;
  const kept = { file: path.join(folder, `${path.parse(name).name}-${purpose}-${version}-${arch}`), id };
  const cachedData = readKept(kept);
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  if (cachedData === undefined || script.cachedDataRejected === true) offerToKeep(kept, script);
  return script;
}

/**
 * Runs a script of parts, an object of them by the names that they call each other by, and then the one of the name `entry`. What
 * requires the loader's file gets what they load each other by.
 */
export function runScriptOfParts(what: ScriptOfParts, entry: string, require: NodeJS.Require): void {
  const script = compiled(path.join(what.folder, what.name), what);
  const parts = script.runInThisContext() as PartTables["parts"];
  const load = partLoader({ folder: what.folder, parts, packs: what.packs }, require);
  const filename = path.join(what.folder, what.loader);
  const module = new Module(filename);
  Object.assign(module, { filename, loaded: true, exports: load });
  require.cache[filename] = module;
  load(entry);
}

/** Keeps what was compiled of this thread's script by now, if it was not kept before. Costs some 20 ms then, else nothing. */
export function keepScript(asAtFirst: AsAtFirst): void {
  (globalThis as Global)[HOOK]?.(asAtFirst);
}
