/**
 * A lock between processes: a file that is complete from the moment it exists and is touched while it is held. One
 * whose owner died, or that nobody touched for a while, is taken over. Knows nothing of what it guards.
 *
 * The file holds the owner's machine, process-number space and process number. That a process of the same space is
 * gone is seen at once; across machines and containers only the time of the last touch counts.
 */
import { link, open, readFile, readlink, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { STALE_MS } from "./lock-age.js";

const POLL_MS = 100;
const TOUCH_MS = 5_000;
/** A takeover lasts microseconds; one this old was left by a crash in between. */
const TAKEOVER_STALE_MS = 10_000;
const TAKEOVER_SUFFIX = ".takeover";

interface Owner {
  space: string;
  pid: number;
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Names the set of processes in which a process number means the same. */
async function processSpace(): Promise<string> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${hostname()} ${namespace}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

async function ageMs(file: string): Promise<number> {
  return Date.now() - (await stat(file)).mtimeMs;
}

/** Whether the lock's owner is gone; false when the lock itself is. */
async function isStale(file: string): Promise<boolean> {
  try {
    if ((await ageMs(file)) > STALE_MS) return true;
    const owner = JSON.parse(await readFile(file, "utf8")) as Owner;
    return owner.space === (await processSpace()) && !isAlive(owner.pid);
  } catch {
    return false;
  }
}

/** Removes a stale lock. Only one process at a time gets to look and remove, so no fresh lock is ever removed. */
async function takeOver(file: string): Promise<void> {
  const guard = file + TAKEOVER_SUFFIX;
  try {
    await (await open(guard, "wx")).close();
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    if ((await ageMs(guard).catch(() => 0)) > TAKEOVER_STALE_MS) await rm(guard, { force: true });
    return;
  }
  try {
    if (await isStale(file)) await rm(file, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** Puts the lock in place with its content, in one step; false when another process holds it. */
async function tryLock(file: string): Promise<boolean> {
  const own = `${file}.${crypto.randomUUID()}`;
  const owner: Owner = { space: await processSpace(), pid: process.pid };
  try {
    await writeFile(own, JSON.stringify(owner));
    await link(own, file);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** What of this process holds a lock, or waits for it, the last that came. */
const ours = new Map<string, Promise<unknown>>();

/** Waits until nothing of this process that came before has the lock. */
async function behindOurs(
  before: Promise<unknown> | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (before === undefined) return;
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    void before.then(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}

/**
 * Runs `work` while holding the lock `file`, whose folder exists. `onWait` is called once if another process holds
 * it. The lock is released however `work` ends; a rejected `signal` stops the waiting.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal | undefined; onWait?: (() => void) | undefined } = {},
): Promise<T> {
  const before = ours.get(file);
  const turn = behindOurs(before, options.signal).then(() => locked(file, work, options));
  // Who comes later waits for all before, also where this one gives up.
  const last = Promise.allSettled([before, turn]);
  ours.set(file, last);
  void last.then(() => {
    if (ours.get(file) === last) ours.delete(file);
  });
  return turn;
}

async function locked<T>(
  file: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal | undefined; onWait?: (() => void) | undefined },
): Promise<T> {
  let waited = false;
  while (!(await tryLock(file))) {
    options.signal?.throwIfAborted();
    if (!waited) options.onWait?.();
    waited = true;
    if (await isStale(file)) await takeOver(file);
    else await sleep(POLL_MS, undefined, options.signal ? { signal: options.signal } : {});
  }
  return holding(file, work);
}

/** Runs `work` while holding the lock `file`, whose folder exists; not at all where another process holds it. Whether it did. */
export async function withFreeLock(file: string, work: () => Promise<void>): Promise<boolean> {
  if (await isStale(file)) await takeOver(file);
  if (!(await tryLock(file))) return false;
  await holding(file, work);
  return true;
}

async function holding<T>(file: string, work: () => Promise<T>): Promise<T> {
  const touch = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_MS);
  touch.unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(file, { force: true });
  }
}
