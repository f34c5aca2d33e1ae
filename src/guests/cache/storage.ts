/**
 * What a file system refuses, as an error that says what could not be written, where, how much room there is, and what
 * to do. Knows neither apt nor guests.
 */
import { ERRNO_WORDS } from "../../spec/errno.js";
import { randomUUID } from "node:crypto";
import { mkdir, open, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { GuestError } from "../errors.js";
import { systemErrorName } from "./system-errors.js";

/** The errors that mean that the place itself does not take files. */
const REFUSALS = new Set([
  "ENOSPC",
  "EDQUOT",
  "EFBIG",
  "EROFS",
  "EACCES",
  "EPERM",
  "ENOTDIR",
  "EEXIST",
  "EIO",
]);
/** Those of them that end when room is made. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);
/** A disk that does not take this much is full for a fetch: less than any lists, more than what apt wrote and removed. */
const PROBE_BYTES = 2 ** 20;
const PRIVATE = 0o700;
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];
const UNIT_STEP = 1024;

/** What could not be written. */
export interface Unwritten {
  /** For people: "the package lists of bookworm amd64". */
  what: string;
  /** The folder that it was to go to. */
  folder: string;
  /** How many bytes it takes, if that is known. */
  needed?: number | undefined;
}

function amount(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= UNIT_STEP && unit < UNITS.length - 1) {
    value /= UNIT_STEP;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** What there is and what is needed, where that explains the error; "" where it does not. */
async function room(code: string, { folder, needed }: Unwritten): Promise<string> {
  if (code !== "ENOSPC") return "";
  const found = await statfs(folder).catch(() => undefined);
  if (found === undefined) return "";
  if (found.files > 0 && found.ffree === 0) return " (it can hold no more files)";
  const free = `${amount(found.bavail * found.bsize)} free`;
  return needed === undefined ? ` (${free})` : ` (${free}, ${amount(needed)} needed)`;
}

/** The error for something that a file system refused with `code`, e.g. "ENOSPC". */
export async function storageError(unwritten: Unwritten, code: string, cause?: unknown): Promise<GuestError> {
  const why = `${ERRNO_WORDS[code] ?? code}${await room(code, unwritten)}`;
  const advice = FULL.has(code)
    ? "free some room there, or set XDG_CACHE_HOME to a folder on another disk"
    : "set XDG_CACHE_HOME to a folder that can be written";
  const message = `cannot write ${unwritten.what} to ${unwritten.folder}: ${why}; ${advice}`;
  return new GuestError("storage", message, { cause, code });
}

/** The code of an error with which a file system refuses files; undefined for every other error. */
function storageCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof GuestError) return undefined;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  const code = errno === undefined ? undefined : systemErrorName(-errno);
  return code !== undefined && REFUSALS.has(code) && !syscall?.startsWith("spawn") ? code : undefined;
}

/** Runs `work`; where the file system refuses what it writes, throws GuestError "storage" that names `unwritten`. */
export async function writing<T>(unwritten: Unwritten, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = storageCode(error);
    throw code === undefined ? error : await storageError(unwritten, code, error);
  }
}

/**
 * Makes a folder and those that it is in, for its user alone, where they are missing. One by one, since Node's recursive
 * `mkdir` says ENOENT of a read-only file system.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: PRIVATE });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && path.dirname(folder) !== folder) {
      await makeFolder(path.dirname(folder));
      return makeFolder(folder);
    }
    const found = code === "ENOENT" ? undefined : await stat(folder).catch(() => undefined);
    if (!found?.isDirectory()) throw error;
  }
}

/** Why a folder takes no more files, as the code of an error; undefined when it does. Leaves nothing behind. */
export async function refusal(folder: string): Promise<string | undefined> {
  const file = path.join(folder, `.probe.${randomUUID()}`);
  try {
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(new Uint8Array(PROBE_BYTES));
      await handle.sync();
    } finally {
      await handle.close();
    }
    return undefined;
  } catch (error) {
    return storageCode(error);
  } finally {
    await rm(file, { force: true });
  }
}
