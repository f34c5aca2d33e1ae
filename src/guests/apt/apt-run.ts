/**
 * Runs apt's programs in a folder of ours and judges how they end: a disk that takes nothing more, an archive that cannot
 * be reached, and one that stops sending are errors of their own. Knows no setting and no package.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { complaintsIn, diskErrorIn, networkTroubleIn } from "./apt-words.js";
import { GuestError } from "../errors.js";
import { NO_APT_HINT, runProgram } from "./program.js";
import type { ProgramResult } from "./program.js";
import { ProgressWatch } from "./progress-watch.js";
import { refusal, storageError } from "../cache/storage.js";
import type { Unwritten } from "../cache/storage.js";

/** A transfer without any progress for this long is given up. */
const STALL_MS = 30_000;
const MS_PER_SECOND = 1_000;
/** What apt says when something arrives: the beginning of a file, or that the one at hand is recent. */
const ARRIVAL = /^(Get|Hit):/;
/** What apt leaves of an index that it could not write, or was writing when it was ended. */
const UNFINISHED_INDEX = /^(src)?pkgcache\.bin\./;
const LISTS = "lists";
/** Where apt keeps what it has in part. */
export const PARTIAL_FOLDERS = ["lists/partial", "archives/partial"];
const STATUS_LINES = ["-o", "APT::Status-Fd=3"];

/** How a running fetch talks to its caller. `fraction` is 0–1. */
export interface AptHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((detail: string, fraction: number) => void) | undefined;
}

/** The error for an archive that nothing can be had from: the network's fact first, apt's own words last. */
function networkError(facts: readonly string[], words: readonly string[] = []): GuestError {
  const meaning =
    "This host's apt gets its packages from there, so nothing new can be fetched. What is cached still works " +
    "(locore guests list). Where a proxy leads out, apt takes it from http_proxy or Acquire::http::Proxy.";
  return new GuestError("network", [...facts, meaning, NO_APT_HINT, ...words].join("\n"));
}

/** A run of one of apt's programs. */
interface Run {
  words: readonly string[];
  hooks: AptHooks;
  /** What it writes, and the folder where it works. */
  writes: Unwritten;
}

/** Throws GuestError "storage" where the disk refused what was to be written. */
async function checkDisk({ stderr }: ProgramResult, writes: Unwritten): Promise<void> {
  const complaints = complaintsIn(stderr);
  const code = diskErrorIn(complaints);
  if (code !== undefined) throw await storageError(writes, code, new Error(complaints.join("\n")));
}

async function emptied(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
}

/** apt's programs on one configuration, which is `apt.conf` in `folder`. */
export class AptRunner {
  /** The hosts of the archives that the configuration names, for errors. */
  archives: readonly string[] = [];
  private readonly temporary: string;
  private readonly environment: Record<string, string>;

  /** A transfer without any progress for `stallMs` is given up. */
  constructor(
    private readonly folder: string,
    private readonly stallMs = STALL_MS,
  ) {
    this.temporary = path.join(folder, "tmp");
    this.environment = { APT_CONFIG: path.join(folder, "apt.conf"), LC_ALL: "C", TMPDIR: this.temporary };
  }

  /** Removes what an apt that was ended has left and will not look at again. */
  async sweep(): Promise<void> {
    await emptied(this.temporary);
    for (const name of await readdir(this.folder)) {
      if (UNFINISHED_INDEX.test(name)) await rm(path.join(this.folder, name), { force: true });
    }
  }

  /**
   * Runs something to its end. Where a disk was full, what is there in part is given back to it, so that the error tells how
   * much room the next attempt will find.
   */
  private async reclaiming<T>(writes: Unwritten, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === undefined) throw error;
      const partial = PARTIAL_FOLDERS.map((name) => path.join(this.folder, name));
      const own = writes.folder === this.folder ? [] : [writes.folder];
      await this.sweep();
      for (const folder of [...partial, ...own]) await emptied(folder);
      throw await storageError(writes, error.code, error.cause);
    }
  }

  /** Runs a program that reaches no archive. Throws GuestError "storage" where the disk refuses what it writes. */
  async run(program: string, { words, hooks, writes }: Run): Promise<ProgramResult> {
    return this.reclaiming(writes, async () => {
      const result = await runProgram(program, words, {
        signal: hooks.signal,
        environment: this.environment,
      });
      if (result.status !== 0) await checkDisk(result, writes);
      return result;
    });
  }

  /**
   * Runs apt-get where it reaches archives, for as long as there is progress. Throws as `run` does, and GuestError
   * "network".
   */
  async fetch({ words, hooks, writes }: Run): Promise<ProgramResult> {
    let last = "";
    const onStatus = (line: string): void => {
      if (line === last) return;
      last = line;
      const match = /^dlstatus:[^:]*:([\d.]+):(.*)$/.exec(line);
      if (match) hooks.onProgress?.(match[2] ?? "", Number(match[1]) / 100);
    };
    /** What apt said since something arrived. */
    let said: string[] = [];
    const ours = [LISTS, ...PARTIAL_FOLDERS].map((name) => path.join(this.folder, name));
    const watch = new ProgressWatch({
      limitMs: this.stallMs,
      folders: [...ours, writes.folder],
      onStall: async () => this.stalled(said, writes),
    });
    const onLine = (line: string): void => {
      if (ARRIVAL.test(line)) {
        said = [];
        watch.note();
      } else said.push(line);
    };
    const signal = hooks.signal === undefined ? watch.signal : AbortSignal.any([hooks.signal, watch.signal]);
    try {
      const options = { signal, environment: this.environment, cwd: writes.folder, onStatus, onLine };
      return await this.reclaiming(writes, async () => {
        const result = await runProgram("apt-get", [...STATUS_LINES, ...words], options);
        await checkDisk(result, writes);
        return result;
      });
    } finally {
      watch.stop();
    }
  }

  /** Why there is no progress: a disk that is full, or an archive that does not answer. */
  private async stalled(said: readonly string[], writes: Unwritten): Promise<GuestError> {
    const code = await refusal(writes.folder);
    if (code !== undefined) return storageError(writes, code);
    const known = this.unreachable(said);
    if (known !== undefined) return known;
    const seconds = `${this.stallMs / MS_PER_SECOND} s`;
    const who =
      this.archives.length === 0 ? "apt made no progress" : `${this.archives.join(", ")} sent nothing`;
    return networkError([`${who} for ${seconds}: ${writes.what} could not be fetched`]);
  }

  /** The error for an archive that cannot be reached, when that is what these lines of apt's tell of. */
  unreachable(lines: readonly string[]): GuestError | undefined {
    const trouble = networkTroubleIn(lines);
    if (trouble === undefined) return undefined;
    const { host, why, towards } = trouble;
    const way = towards === undefined ? "" : `, which is on the way to ${towards}`;
    const words = complaintsIn(lines.join("\n")).slice(0, 1);
    return networkError(
      [`cannot reach ${host}: ${why}${way}`],
      words.map((line) => `apt's words: ${line}`),
    );
  }
}
