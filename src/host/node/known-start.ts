/**
 * What a machine needed first that went on from a snapshot, as a file beside it: a machine that goes on from there again reads it in a few
 * pieces, in place of some hundred, and checks and decodes nothing twice. It is a cache: what is not as it was written counts for nothing,
 * and whoever needs it does without. Whoever names the file sees to it that it is this build's, and that nobody else could write it.
 *
 * ```
 *  0       8        12     16      20         24         28    32
 * ┌───────┬────────┬──────┬───────┬──────────┬──────────┬─────┬───────────────┬──────┬───────┬──────────┐
 * │ magic │ pages, │ code │ facts │ contents │ CRC-32   │ CRC │ pages,        │ code │ facts │ contents │
 * │       │        bytes of each            │ of these │ of  │ u32 each      │      │       │          │
 * │       │        │      │       │          │          │ rest│               │      │       │          │
 * └───────┴────────┴──────┴───────┴──────────┴──────────┴─────┴───────────────┴──────┴───────┴──────────┘
 * ```
 */
import { closeSync, fstatSync, openSync, readSync, readvSync, renameSync, rmSync, writevSync } from "node:fs";
import type { FoundWorkingSet, WorkingSet } from "../../engine/contract.js";
import type { SnapshotFacts } from "../../snapshot/read.js";
import { lateBuiltin } from "./late-builtin.js";
import { FAST_READING, PIECES_AT_ONCE, sizeOf } from "./snapshot-file.js";

const MAGIC = Uint8Array.from("locoreW1", (one) => one.charCodeAt(0));
const WORD = 4;
const HEAD = { pages: 2, code: 3, facts: 4, contents: 5, contentsCrc: 6, crc: 7, words: 8 } as const;
const HEAD_BYTES = HEAD.words * WORD;
/** More is none of ours. */
const MOST_BYTES = 64 * 2 ** 20;
const OWNER_ONLY = 0o600;
const { checksum } = FAST_READING;

/** What a machine is made of that went on from there before. */
export interface KnownStart {
  /** What is in the snapshot. */
  facts: SnapshotFacts;
  workingSet: WorkingSet;
}

/** CRC-32 of the head but for itself, and of what is between it and the contents. */
function crcOf(head: Uint8Array, middle: Uint8Array): number {
  return checksum(middle, checksum(head.subarray(0, HEAD.crc * WORD), 0));
}

/** Undefined where there is none that can be used. The file stays open until the contents are read, or the thread ends. */
export function openKnownStart(file: string): KnownStart | undefined {
  let descriptor: number | undefined;
  let found: KnownStart | undefined;
  try {
    descriptor = openSync(file, "r");
    found = readFrom(descriptor);
  } catch {
    // There is none, or its facts are none.
  }
  if (descriptor !== undefined && found === undefined) closeSync(descriptor);
  return found;
}

function readFrom(descriptor: number): KnownStart | undefined {
  const head = new Uint8Array(HEAD_BYTES);
  if (readSync(descriptor, head, 0, HEAD_BYTES, 0) !== HEAD_BYTES) return undefined;
  if (!MAGIC.every((byte, i) => head[i] === byte)) return undefined;
  const words = new Uint32Array(head.buffer);
  const codeAt = words[HEAD.pages];
  const factsAt = codeAt + words[HEAD.code];
  const middle = new Uint8Array(Math.min(MOST_BYTES, factsAt + words[HEAD.facts]));
  const contentsAt = HEAD_BYTES + middle.length;
  if (fstatSync(descriptor).size !== contentsAt + words[HEAD.contents]) return undefined;
  if (readSync(descriptor, middle, 0, middle.length, HEAD_BYTES) !== middle.length) return undefined;
  if (crcOf(head, middle) !== words[HEAD.crc]) return undefined;
  const facts = lateBuiltin("node:v8").deserialize(middle.subarray(factsAt)) as SnapshotFacts;
  const workingSet: WorkingSet = {
    pages: new Uint32Array(middle.buffer, 0, codeAt / WORD),
    code: middle.subarray(codeAt, factsAt),
    read(into) {
      const isWhole = sizeOf(into) === words[HEAD.contents];
      const crc = isWhole ? readPieces(descriptor, into, contentsAt) : undefined;
      closeSync(descriptor);
      return crc === words[HEAD.contentsCrc];
    },
  };
  return { facts, workingSet };
}

/** The CRC-32 of what was read; undefined where less was there. */
function readPieces(descriptor: number, into: readonly Uint8Array[], position: number): number | undefined {
  let at = position;
  let crc = 0;
  for (let i = 0; i < into.length; i += PIECES_AT_ONCE) {
    const some = into.slice(i, i + PIECES_AT_ONCE);
    const bytes = sizeOf(some);
    if (readvSync(descriptor, some, at) !== bytes) return undefined;
    at += bytes;
    crc = some.reduce((sum, piece) => checksum(piece, sum), crc);
  }
  return crc;
}

/** Puts a file in place whole, or leaves things as they are: nothing needs it. */
export function keepKnownStart(
  file: string,
  facts: SnapshotFacts,
  { pages, code, contents }: FoundWorkingSet,
): void {
  const numbers = new Uint8Array(pages.buffer, pages.byteOffset, pages.byteLength);
  const known = lateBuiltin("node:v8").serialize(facts);
  const middle = Buffer.concat([numbers, code, known]);
  const words = new Uint32Array(HEAD.words);
  const head = new Uint8Array(words.buffer);
  head.set(MAGIC);
  words[HEAD.pages] = numbers.length;
  words[HEAD.code] = code.length;
  words[HEAD.facts] = known.length;
  words[HEAD.contents] = sizeOf(contents);
  words[HEAD.contentsCrc] = contents.reduce((sum, piece) => checksum(piece, sum), 0);
  words[HEAD.crc] = crcOf(head, middle);
  const pieces = [head, middle, ...contents];
  const partial = `${file}.${crypto.randomUUID()}.tmp`;
  try {
    const descriptor = openSync(partial, "wx", OWNER_ONLY);
    try {
      if (writevSync(descriptor, pieces) !== sizeOf(pieces)) throw new Error("the disk is full");
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, file);
  } catch {
    rmSync(partial, { force: true });
  }
}
