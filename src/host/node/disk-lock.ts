/**
 * Keeps two from writing a disk's file, and one from writing what another reads. Where the host's locks can be had they are those of
 * QEMU, which then is kept away too; otherwise a file beside the disk's says who has it.
 *
 * QEMU's locks (block/file-posix.c): for each thing that one does with a file a byte from 100 on is locked, and for each that nobody
 * else may do, one from 200 on. All locks are shared ones; who is excluded is found by looking.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { DiskError } from "./disk-error.js";
import { NativeCallError, type NativeCalls } from "./native-calls.js";

export type DiskUse = "read" | "write";

export interface DiskLock {
  release(): void;
}

const DOES = 100;
const FORBIDS = 200;
/** Bits of BLK_PERM: what is done with a file. */
const PERMISSION = { consistentRead: 0, write: 1, resize: 3 } as const;
const WHAT_IS_DONE: Readonly<Record<DiskUse, readonly number[]>> = {
  read: [PERMISSION.consistentRead],
  write: [PERMISSION.consistentRead, PERMISSION.write, PERMISSION.resize],
};
/** Neither a reader nor a writer lets anybody else write. */
const FORBIDDEN: readonly number[] = [PERMISSION.write, PERMISSION.resize];

function inUse(name: string, use: DiskUse, who: string): DiskError {
  const expected = use === "write" ? "a file that nobody else has open" : "a file that nobody writes";
  const advice =
    use === "write"
      ? "End the other one; without rw the file stays as it is."
      : "End the other one, or copy the file.";
  return new DiskError(name, undefined, who, expected, advice);
}

/**
 * Locks a file that is open. `native`: the host's own locks, where there are any. Throws DiskError where somebody else has it.
 */
export function lockDisk(
  { name, descriptor, isDevice }: { name: string; descriptor: number; isDevice: boolean },
  use: DiskUse,
  native: NativeCalls | undefined,
): DiskLock {
  if (native !== undefined) {
    try {
      return lockBytes(name, descriptor, use, native);
    } catch (error) {
      // A file's system without locks: as if the host had none.
      if (!(error instanceof NativeCallError)) throw error;
    }
  }
  // A device is opened for one alone by the host itself, and lies in a folder that is no place for files.
  return isDevice ? { release: () => undefined } : lockBeside(name, use);
}

/** The locks end with the file's being closed. */
function lockBytes(name: string, descriptor: number, use: DiskUse, native: NativeCalls): DiskLock {
  const does = WHAT_IS_DONE[use];
  for (const bit of does) native.lockByte(descriptor, DOES + bit, "read");
  for (const bit of FORBIDDEN) native.lockByte(descriptor, FORBIDS + bit, "read");
  const forbidden = does.some((bit) => native.isByteLocked(descriptor, FORBIDS + bit, "write"));
  const done = FORBIDDEN.some((bit) => native.isByteLocked(descriptor, DOES + bit, "write"));
  if (done) throw inUse(name, use, "that another process, or disk, writes it");
  if (forbidden) throw inUse(name, use, "that another process, or disk, reads it");
  return { release: () => undefined };
}

// ── A file beside ───────────────────────────────────────────────────────────────────────────────────────────

interface Owner {
  space: string;
  pid: number;
  use: DiskUse;
}

/** Names the set of processes in which a process number means the same. */
function processSpace(): string {
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // Not Linux: there is one set of processes.
  }
  return `${hostname()} ${namespace}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whose mark it is; undefined for one that is gone, or whose process has died, which is removed. */
function ownerOf(mark: string): Owner | undefined {
  let owner: Owner;
  try {
    owner = JSON.parse(readFileSync(mark, "utf8")) as Owner;
  } catch {
    return undefined;
  }
  if (owner.space !== processSpace() || isAlive(owner.pid)) return owner;
  rmSync(mark, { force: true });
  return undefined;
}

/** Each who uses the file leaves a mark first and then looks for those of others: of two at the same time one at least sees the other. */
function lockBeside(name: string, use: DiskUse): DiskLock {
  const folder = path.dirname(name);
  const prefix = `.${path.basename(name)}.locore-`;
  const own = path.join(folder, `${prefix}${use}-${crypto.randomUUID()}`);
  const owner: Owner = { space: processSpace(), pid: process.pid, use };
  const marked = leaveMark(name, own, owner);
  const release = (): void => {
    if (marked) rmSync(own, { force: true });
  };
  for (const entry of existsSync(folder) ? readdirSync(folder) : []) {
    const mark = path.join(folder, entry);
    if (!entry.startsWith(prefix) || mark === own) continue;
    const other = ownerOf(mark);
    if (other === undefined || (use === "read" && other.use === "read")) continue;
    release();
    const does = other.use === "write" ? "writes" : "reads";
    throw inUse(name, use, `that process ${other.pid} ${does} it, as ${mark} says`);
  }
  return { release };
}

/** A reader that cannot leave a mark goes without: whoever can write the file is not kept away by it then. */
function leaveMark(name: string, mark: string, owner: Owner): boolean {
  try {
    writeFileSync(mark, JSON.stringify(owner), { flag: "wx" });
    return true;
  } catch (error) {
    if (owner.use === "read") return false;
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new DiskError(
      name,
      undefined,
      `a folder that takes no lock (${code})`,
      "one where a file can be made, to keep others from writing",
      "locore doctor says what is missing here for locks of the host's own.",
    );
  }
}
