/**
 * Reads a whole file that a person named, whatever it is: a file is looked at before it is read, and what is none (a
 * pipe, a device) is read up to a limit, without ever holding up the thread. Knows nothing of what is in it.
 */
import { close, constants, fstat, open, read, type Stats } from "node:fs";
import { promisify } from "node:util";

const MIB = 2 ** 20;
/** Bytes that a regular file may have: more than guest RAM can hold, and what Node reads at most. */
export const LARGEST_FILE = 2 ** 31 - 1;
const LARGEST_FILE_TEXT = "2 GiB";
/** Bytes that are taken from a pipe or a device, whose size nobody knows. */
export const LARGEST_STREAM = 256 * MIB;
/** Bytes asked for at a time. */
const BLOCK = 4 * MIB;
/** How long a device that has nothing to give is left alone, ms. */
const RETRY_MS = 20;

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);
const readFile = promisify(read);

/** There is more than would be read. */
export class InputTooLarge extends Error {
  constructor(found: string) {
    super(`${found}: no kernel, and nothing that goes with one, is that large`);
    this.name = "InputTooLarge";
  }
}

/**
 * The bytes of a file. Opening never blocks: a pipe without a writer is waited for like any other input. Throws the
 * host's errors, `InputTooLarge`, and the signal's reason when it is aborted.
 */
export async function readWhole(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  // Windows has no O_NONBLOCK, and no files that block when they are opened.
  const flags = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0);
  const descriptor = await openFile(path, flags);
  let facts: Stats;
  try {
    facts = await statFile(descriptor);
    if (!facts.isFIFO()) return await readDescriptor(descriptor, facts, signal);
  } catch (error) {
    await closeFile(descriptor);
    throw error;
  }
  return readPipe(descriptor, signal);
}

/** Reads what is no pipe, and closes it unless something is thrown. */
async function readDescriptor(
  descriptor: number,
  facts: Stats,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  // Files that a kernel makes up (/proc) have no size.
  const sized = facts.isFile() && facts.size > 0;
  const bytes = sized
    ? await readSized(descriptor, facts.size, signal)
    : await readUnsized(descriptor, signal);
  await closeFile(descriptor);
  return bytes;
}

async function readSized(
  descriptor: number,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (size > LARGEST_FILE)
    throw new InputTooLarge(`${Math.round(size / MIB)} MiB, and reading ends at ${LARGEST_FILE_TEXT}`);
  const bytes = room(size);
  let at = 0;
  while (at < size) {
    signal?.throwIfAborted();
    const { bytesRead } = await readFile(descriptor, bytes, at, Math.min(BLOCK, size - at), at);
    // It became shorter in the meantime.
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

function room(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch {
    throw new InputTooLarge(`${Math.round(size / MIB)} MiB, for which this host has no memory`);
  }
}

async function readUnsized(descriptor: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const taken = new Taken();
  for (;;) {
    signal?.throwIfAborted();
    const block = new Uint8Array(BLOCK);
    const count = await readSome(descriptor, block);
    if (count === 0) return taken.bytes();
    if (count === undefined) await rest(signal);
    else taken.add(block.subarray(0, count));
  }
}

/** What few files need is loaded when one does: it would be seen in every start. */
async function rest(signal: AbortSignal | undefined): Promise<void> {
  const { setTimeout: sleep } = await import("node:timers/promises");
  await sleep(RETRY_MS, undefined, signal === undefined ? {} : { signal });
}

/** How many bytes there were; 0 at the end, undefined when there are none yet. */
async function readSome(descriptor: number, block: Uint8Array): Promise<number | undefined> {
  try {
    return (await readFile(descriptor, block, 0, block.length, null)).bytesRead;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}

/** Reads a pipe to its end and closes it. */
async function readPipe(descriptor: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const { Socket } = await import("node:net");
  const taken = new Taken();
  const pipe = new Socket({ fd: descriptor, readable: true, writable: false });
  return new Promise((resolve, reject) => {
    const abort = (): void => void pipe.destroy();
    signal?.addEventListener("abort", abort);
    pipe.on("data", (chunk: Buffer) => {
      try {
        taken.add(chunk);
      } catch (error) {
        pipe.destroy(error as Error);
      }
    });
    pipe.on("end", () => resolve(taken.bytes()));
    pipe.on("error", reject);
    pipe.on("close", () => {
      signal?.removeEventListener("abort", abort);
      // Without effect after `end` or an error.
      reject(new Error("the pipe was closed"));
    });
    if (signal?.aborted === true) abort();
  });
}

/** What has come so far, up to the limit. */
class Taken {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  add(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > LARGEST_STREAM)
      throw new InputTooLarge(`not a regular file, and it gave more than ${LARGEST_STREAM / MIB} MiB`);
    this.#chunks.push(chunk);
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}
