/**
 * The message buffers of the BSDs: plain text in a ring, found by the magic number in its head.
 *
 * ```
 *   FreeBSD   text, then: msg_ptr (word)  msg_magic  msg_size  msg_wseq  msg_rseq …          (32 bits each)
 *   NetBSD    msg_magic  msg_bufx  msg_bufr  msg_bufs (a word each), then: text
 * ```
 *
 * Sources: FreeBSD sys/sys/msgbuf.h, sys/kern/subr_msgbuf.c; NetBSD sys/sys/msgbuf.h, which OpenBSD's is like.
 */
import { eachPiece, readWord64, type Ram } from "../ram.js";
import { MOST_LINES, type KernelLog } from "./kernel-log.js";

const FREEBSD_MAGIC = 0x063062;
const NETBSD_MAGIC = 0x063061;
const SMALLEST = 0x800;
const LARGEST = 2 ** 22;
/** Characters of a line that are kept. */
const LONGEST_LINE = 1024;
/** Part of a text that is printable at least. */
const PRINTABLE = 0.9;
/** Places that look like a head before the search ends. */
const MOST_HEADS = 32;

/** Finds the buffer with the most text; undefined where none makes sense. */
export function readMsgbuf(ram: Ram): KernelLog | undefined {
  let best: { kind: string; text: string } | undefined;
  let heads = 0;
  eachPiece(ram, (bytes, start) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const word = view.getUint32(at, true);
      if (word !== FREEBSD_MAGIC && word !== NETBSD_MAGIC) continue;
      const found = word === FREEBSD_MAGIC ? freebsdText(ram, start + at) : netbsdText(ram, start + at);
      if (found !== undefined && found.text.length > (best?.text.length ?? 0)) best = found;
      if (++heads >= MOST_HEADS) return true;
    }
    return false;
  });
  if (best === undefined) return undefined;
  const lines = best.text.split("\n").map((line) => ({ text: line.trimEnd().slice(0, LONGEST_LINE) }));
  if (lines.at(-1)?.text === "") lines.pop();
  return { kind: best.kind, lines: lines.slice(-MOST_LINES) };
}

function isSize(size: number): boolean {
  return size >= SMALLEST && size <= LARGEST;
}

/** `magic`: guest-physical address of the number. The text ends where the head begins. */
function freebsdText(ram: Ram, magic: number): { kind: string; text: string } | undefined {
  const size = ram.readU32(magic + 4);
  const written = ram.readU32(magic + 8);
  if (!isSize(size) || written <= 0) return undefined;
  for (const word of [8, 4]) {
    const text = ringText(ram, magic - word - size, size, written % size, written >= size);
    if (text !== undefined) return { kind: "FreeBSD msgbuf", text };
  }
  return undefined;
}

function netbsdText(ram: Ram, magic: number): { kind: string; text: string } | undefined {
  for (const word of [8, 4]) {
    const field = (index: number): number =>
      word === 4 ? ram.readU32(magic + index * 4) : Number(readWord64(ram, magic + index * 8) ?? -1n);
    const [next, size] = [field(1), field(3)];
    if (!isSize(size) || next < 0 || next > size) continue;
    const text = ringText(ram, magic + word * 4, size, next, true);
    if (text !== undefined) return { kind: "NetBSD msgbuf", text };
  }
  return undefined;
}

/** Text of a ring up to `next`, and before it what is behind `next` once it was full; undefined for what is no text. */
function ringText(ram: Ram, start: number, size: number, next: number, full: boolean): string | undefined {
  const bytes = ram.view(start, size);
  if (bytes === undefined) return undefined;
  const text = [...(full ? bytes.subarray(next) : []), ...bytes.subarray(0, next)].filter(
    (byte) => byte !== 0,
  );
  const printable = text.filter((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
  if (text.length === 0 || printable.length < text.length * PRINTABLE) return undefined;
  // FreeBSD puts each message's priority in front.
  return latin1(printable).replace(/(^|\n)<\d{1,3}>/g, "$1");
}

const CHUNK = 4096;

function latin1(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.slice(at, at + CHUNK));
  return text;
}
