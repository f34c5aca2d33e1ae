/**
 * Who called: by the kernel's own tables where it has any, by frame pointers where they make sense, otherwise by a scan of the stack for what may be return addresses, which
 * finds those of calls that have returned as well.
 */
import type { SymbolTable } from "../symbols/symbol-table.js";
import type { Read } from "./code.js";
import { orcFrames } from "./orc.js";

/** How frames were found. */
export type FoundBy = "frame pointers" | "ORC" | "a scan of the stack";

export interface Backtrace {
  by: FoundBy;
  /** Return addresses, the innermost caller first. */
  frames: bigint[];
}

const MOST_FRAMES = 16;
const FEWEST_FRAMES = 3;
const SCANNED = 4096;
/** A frame is no larger. */
const LARGEST_FRAME = 0x4000n;

export interface StackPlace {
  rsp: bigint;
  rbp: bigint;
  rip: bigint;
  word: 4 | 8;
}

export interface CodeFacts {
  read: Read;
  /** Whether an address is code of the kernel's. */
  isCode: (address: bigint) => boolean;
  symbols: SymbolTable;
}

function wordOf(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]);
  return value;
}

/** The frames of a stack; none where nothing on it looks like one. */
export function backtrace(stack: StackPlace, facts: CodeFacts): Backtrace {
  if (stack.word === 8) {
    const start = { ip: stack.rip, sp: stack.rsp, bp: stack.rbp };
    const told = orcFrames(start, facts.symbols, facts.read);
    if (told.length > 0) return { by: "ORC", frames: told };
  }
  const chained = byFramePointers(stack, facts);
  if (chained.length >= FEWEST_FRAMES) return { by: "frame pointers", frames: chained };
  return { by: "a scan of the stack", frames: byScan(stack, facts) };
}

function byFramePointers({ rsp, rbp, word }: StackPlace, { read, isCode }: CodeFacts): bigint[] {
  const frames: bigint[] = [];
  for (let at = rbp, above = rsp; frames.length < MOST_FRAMES;) {
    if (at < above || at - above > LARGEST_FRAME) break;
    const bytes = read(at, word * 2);
    if (bytes === undefined) break;
    const caller = wordOf(bytes, word, word);
    if (!isCode(caller)) break;
    frames.push(caller);
    above = at;
    at = wordOf(bytes, 0, word);
  }
  return frames;
}

function byScan({ rsp, word }: StackPlace, facts: CodeFacts): bigint[] {
  const frames: bigint[] = [];
  const start = rsp - (rsp % BigInt(word));
  for (let at = 0; at < SCANNED && frames.length < MOST_FRAMES; at += word) {
    const bytes = facts.read(start + BigInt(at), word);
    if (bytes === undefined) break;
    const address = wordOf(bytes, 0, word);
    if (facts.isCode(address) && followsCall(facts.read, address)) frames.push(address);
  }
  return frames;
}

const CALL = 0xe8;
const CALL_BYTES = 5;
const GROUP_5 = 0xff;
const CALL_EXTENSION = 2;
const LONGEST_INDIRECT = 7;

/** Whether an instruction that calls ends here: a direct call, or FF /2. */
function followsCall(read: Read, address: bigint): boolean {
  const bytes = read(address - BigInt(LONGEST_INDIRECT), LONGEST_INDIRECT);
  if (bytes === undefined) return false;
  if (bytes[LONGEST_INDIRECT - CALL_BYTES] === CALL) return true;
  return [2, 3, 6, 7].some(
    (length) =>
      bytes[LONGEST_INDIRECT - length] === GROUP_5 &&
      ((bytes[LONGEST_INDIRECT - length + 1] >> 3) & 7) === CALL_EXTENSION,
  );
}
