/**
 * System calls that Node lacks, made through koffi, which may be there or not (RATIONALE.md, "Dependencies"). Whoever uses one does
 * something else where it is missing, and `locore doctor` says what.
 *
 * Sources: fcntl(2), fallocate(2), mallopt(3), malloc_trim(3), <asm-generic/fcntl.h>, <malloc.h>; the numbers are those of 64-bit Linux.
 */
import { createRequire } from "node:module";
import { endianness } from "node:os";
import type { TapCalls } from "./net/tap-calls.js";
import type { HostCalls } from "./share/host-calls.js";

/** A lock on a byte, of an open file: closing the file, or the end of the process, gives it back. */
export type ByteLock = "read" | "write" | "none";

export interface NativeCalls {
  /** Locks a byte of a file, whether the file has it or not. False: another open file has a lock there that excludes it. Throws NativeCallError. */
  lockByte(descriptor: number, at: number, lock: ByteLock): boolean;
  /** Whether another open file's lock would exclude that one. Throws NativeCallError. */
  isByteLocked(descriptor: number, at: number, lock: "read" | "write"): boolean;
  /** Gives back what these bytes of a file took; they read as zeros. False where the file's system cannot. */
  punchHole(descriptor: number, offset: number, length: number): boolean;
  /** Sets the file status flags of an open file, for all who have it. */
  setStatusFlags(descriptor: number, flags: number): void;
  /**
   * What bounds the memory that this process has freed and not given back to the system. Undefined with another C library than glibc, which
   * may keep twice the largest piece that was ever freed, up to 64 MiB, in the heap of each thread.
   */
  freedMemory(): FreedMemory | undefined;
  /** Ends the process with all its threads, at once (_exit(2)). */
  leave(status: number): never;
  /** What shared folders ask of the host; bound when it is first asked for. Rejects where its C library lacks a call. */
  folderCalls(): Promise<HostCalls>;
  /** What taps ask of the host; likewise. */
  tapCalls(): Promise<TapCalls>;
}

/** Memory that was freed, and that the C library keeps for what is allocated next. */
export interface FreedMemory {
  /** From now on a piece at the end of a heap goes back to the system once it is this large. */
  keepAtMost(bytes: number): void;
  /** Gives back every whole page of it, wherever it lies. */
  giveBack(): void;
}

/** A call that the host refuses. */
export class NativeCallError extends Error {
  override readonly name = "NativeCallError";
  constructor(
    call: string,
    readonly errno: number,
  ) {
    super(`${call}: error ${errno}`);
  }
}

/** Whether there are such calls here, and what is done without. */
export type NativeVerdict = { usable: true; detail: string } | { usable: false; reason: string };

/** A function of C; `async` calls it in a thread of libuv's, its last argument being told of the end. */
export interface KoffiFunction {
  (...args: unknown[]): number;
  async(...args: unknown[]): void;
}

/** What of koffi is used. */
export interface Koffi {
  version: string;
  load(library: null): { func(prototype: string): KoffiFunction };
  errno(): number;
}

const LOCK_TYPES = { read: 0, write: 1, none: 2 } as const;
const F_SETFL = 4;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
/** struct flock: l_type and l_whence of 16 bits, then l_start and l_len of 64, then l_pid. */
const FLOCK = { type: 0, start: 8, length: 16, size: 32 } as const;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
/** Parameters of mallopt(3). To set one ends that glibc chooses both by itself. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const EACCES = 13;
const EAGAIN = 11;

/** Architectures of Linux whose C has these types so. */
const ARCHITECTURES = ["x64", "arm64", "riscv64", "loong64", "ppc64"];

function bindFreedMemory(libc: ReturnType<Koffi["load"]>): FreedMemory | undefined {
  try {
    const mallopt = libc.func("int mallopt(int, int)");
    const trim = libc.func("int malloc_trim(size_t)");
    return {
      keepAtMost(bytes) {
        mallopt(M_TRIM_THRESHOLD, bytes);
        mallopt(M_MMAP_THRESHOLD, bytes);
      },
      giveBack: () => void trim(0),
    };
  } catch {
    return undefined;
  }
}

function bind(koffi: Koffi): NativeCalls {
  const libc = koffi.load(null);
  const fcntl = libc.func("int fcntl(int, int, ...)");
  const exit = libc.func("void _exit(int)");
  const fallocate = libc.func("int fallocate(int, int, int64_t, int64_t)");
  const ask = (descriptor: number, command: number, at: number, lock: ByteLock): DataView => {
    const bytes = Buffer.alloc(FLOCK.size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    view.setInt16(FLOCK.type, LOCK_TYPES[lock], true);
    view.setBigInt64(FLOCK.start, BigInt(at), true);
    view.setBigInt64(FLOCK.length, 1n, true);
    if (fcntl(descriptor, command, "void *", bytes) >= 0) return view;
    throw new NativeCallError("fcntl", koffi.errno());
  };
  let folders: Promise<HostCalls> | undefined;
  return {
    folderCalls: () =>
      (folders ??= import("./share/file-calls.js").then(({ FileCalls }) => new FileCalls(koffi))),
    tapCalls: async () => (await import("./net/tap-calls.js")).tapCalls(koffi),
    lockByte(descriptor, at, lock) {
      try {
        ask(descriptor, F_OFD_SETLK, at, lock);
        return true;
      } catch (error) {
        if (error instanceof NativeCallError && (error.errno === EAGAIN || error.errno === EACCES))
          return false;
        throw error;
      }
    },
    isByteLocked: (descriptor, at, lock) =>
      ask(descriptor, F_OFD_GETLK, at, lock).getInt16(FLOCK.type, true) !== LOCK_TYPES.none,
    setStatusFlags: (descriptor, flags) => void fcntl(descriptor, F_SETFL, "int", flags),
    freedMemory: () => bindFreedMemory(libc),
    leave(status) {
      exit(status);
      throw new Error("_exit came back");
    },
    punchHole: (descriptor, offset, length) =>
      fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) === 0,
  };
}

/** It need not be installed. Its part for this system is asked for itself: with what koffi puts around it, it takes twice as long to load. */
function loadKoffi(): Koffi {
  const require = createRequire(new URL("./worker.js", import.meta.url));
  const koffi = require.resolve("koffi");
  try {
    return createRequire(koffi)(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    return (require(koffi) as { default: Koffi }).default;
  }
}

let loaded: { calls: NativeCalls | undefined; verdict: NativeVerdict } | undefined;

function load(): { calls: NativeCalls | undefined; verdict: NativeVerdict } {
  const without = (reason: string): { calls: undefined; verdict: NativeVerdict } => ({
    calls: undefined,
    verdict: { usable: false, reason },
  });
  const { platform, arch } = process;
  if (platform !== "linux" || !ARCHITECTURES.includes(arch) || endianness() !== "LE")
    return without(`not on ${platform} ${arch} yet`);
  try {
    const koffi = loadKoffi();
    return { calls: bind(koffi), verdict: { usable: true, detail: `koffi ${koffi.version}` } };
  } catch (error) {
    return without(
      `koffi cannot be loaded (npm install koffi): ${(error as Error).message.split("\n", 1)[0]}`,
    );
  }
}

/** The calls, where there are any. */
export function nativeCalls(): NativeCalls | undefined {
  return (loaded ??= load()).calls;
}

/** Whether there are calls here, or why not. */
export function nativeVerdict(): NativeVerdict {
  return (loaded ??= load()).verdict;
}
