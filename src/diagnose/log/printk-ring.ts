/**
 * Linux' log since 5.10: a ring of descriptors, an info beside each, and a ring of text. Where its fields lie a kernel tells in
 * VMCOREINFO; one that has not come so far, or has none, is read as kernels have been so far.
 *
 * ```
 *   printk_ringbuffer: desc_ring { count_bits, descs, infos, head_id, tail_id, … }  text_data_ring { size_bits, data, … }
 *   desc: state_var (state in its upper 2 bits, id), begin, next     info: seq, ts_nsec, text_len, facility, flags/level, …
 *   block of text, at begin modulo the ring's size: id, text. One that would lie across the end stands at the beginning.
 * ```
 *
 * Source: Linux kernel/printk/printk_ringbuffer.h and .c.
 */
import type { KernelLog, LogLine } from "./kernel-log.js";
import { MOST_LINES } from "./kernel-log.js";
import { eachPiece, type Ram } from "../ram.js";

/** Reads a kernel's linear memory; undefined where it is not mapped. */
export type Read = (linear: bigint, length: number) => Uint8Array | undefined;

/** Where fields lie, bytes. */
interface Layout {
  word: 4 | 8;
  ring: { countBits: number; descs: number; infos: number; headId: number; sizeBits: number; data: number };
  desc: { size: number; state: number; begin: number; next: number };
  info: { size: number; time: number; length: number; level: number };
}

/** Rings are as large as this at most: bits of their sizes. */
const MOST_DESCS_BITS = 20;
const FEWEST_DESCS_BITS = 4;
const MOST_TEXT_BITS = 28;
/** Bits of text that a descriptor has on average (PRB_AVGBITS). */
const AVERAGE_BITS = 5;
/** States of a descriptor whose text is whole. */
const COMMITTED = 1;
const FINALIZED = 2;
/** A begin with this bit has no text. */
const NO_DATA = 1n;
const LEVEL_SHIFT = 5;
const NS = 1e9;
const LONGEST_TEXT = 4096;

/** Bytes of an info; the second with the name of the task that printed (CONFIG_PRINTK_EXECUTION_CTX, 6.18). */
const INFO_SIZES = [88, 112] as const;

/** The layouts of kernels so far. */
function usualLayouts(word: 4 | 8): Layout[] {
  return [1, 0].flatMap((moreIds) => INFO_SIZES.map((size) => usualLayout(word, moreIds, size)));
}

/** `moreIds`: words between tail_id and the text ring, one from 5.18 on. */
function usualLayout(word: 4 | 8, moreIds: number, infoSize: number): Layout {
  const ids = word * 3;
  const text = ids + word * (2 + moreIds);
  return {
    word,
    ring: {
      countBits: 0,
      descs: word,
      infos: word * 2,
      headId: ids,
      sizeBits: text,
      data: text + word,
    },
    desc: { size: word * 3, state: 0, begin: word, next: word * 2 },
    info: { size: infoSize, time: 8, length: 16, level: 19 },
  };
}

/** The fields as VMCOREINFO has them; undefined where it lacks one. */
function toldLayout(word: 4 | 8, told: ReadonlyMap<string, string>): Layout | undefined {
  const size = (name: string): number => Number(told.get(`SIZE(${name})`));
  const offset = (name: string): number => Number(told.get(`OFFSET(${name})`));
  const ring = offset("printk_ringbuffer.desc_ring");
  const text = offset("printk_ringbuffer.text_data_ring");
  const span = offset("prb_desc.text_blk_lpos");
  const length = offset("printk_info.text_len");
  const layout: Layout = {
    word,
    ring: {
      countBits: ring + offset("prb_desc_ring.count_bits"),
      descs: ring + offset("prb_desc_ring.descs"),
      infos: ring + offset("prb_desc_ring.infos"),
      headId: ring + offset("prb_desc_ring.head_id"),
      sizeBits: text + offset("prb_data_ring.size_bits"),
      data: text + offset("prb_data_ring.data"),
    },
    desc: {
      size: size("prb_desc"),
      state: offset("prb_desc.state_var") + (offset("atomic_long_t.counter") || 0),
      begin: span + offset("prb_data_blk_lpos.begin"),
      next: span + offset("prb_data_blk_lpos.next"),
    },
    // Facility, then flags and level, stand behind the length.
    info: { size: size("printk_info"), time: offset("printk_info.ts_nsec"), length, level: length + 3 },
  };
  const numbers = [layout.ring, layout.desc, layout.info].flatMap((part) => Object.values(part) as number[]);
  return numbers.every((value) => Number.isInteger(value) && value >= 0 && value < 4096) ? layout : undefined;
}

function uint(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

/** The rings themselves, checked. */
interface Rings {
  layout: Layout;
  countBits: number;
  sizeBits: number;
  descs: bigint;
  infos: bigint;
  data: bigint;
  head: bigint;
}

/** The rings whose head these bytes begin with; undefined where they cannot be. */
function ringsOf(bytes: Uint8Array, layout: Layout): Rings | undefined {
  const { word, ring } = layout;
  const at = (offset: number, size: number): bigint => uint(bytes, offset, size);
  const countBits = Number(at(ring.countBits, 4));
  const sizeBits = Number(at(ring.sizeBits, 4));
  if (countBits < FEWEST_DESCS_BITS || countBits > MOST_DESCS_BITS) return undefined;
  if (sizeBits < countBits || sizeBits > MOST_TEXT_BITS) return undefined;
  const [descs, infos, data, head] = [ring.descs, ring.infos, ring.data, ring.headId].map((offset) =>
    at(offset, word),
  );
  return { layout, countBits, sizeBits, descs, infos, data, head };
}

/** Bytes of a ring's head at most. */
const HEAD_BYTES = 256;

/** Reads the log whose head is at `address`. */
export function readPrintkRing(
  read: Read,
  address: bigint,
  word: 4 | 8,
  told: ReadonlyMap<string, string> | undefined,
): KernelLog | undefined {
  const bytes = read(address, HEAD_BYTES);
  if (bytes === undefined) return undefined;
  const layouts = [told && toldLayout(word, told), ...usualLayouts(word)];
  let best: LogLine[] = [];
  for (const layout of layouts) {
    const rings = layout && ringsOf(bytes, layout);
    const lines = (rings && linesOf(read, rings)) ?? [];
    if (lines.length > best.length) best = lines;
  }
  return best.length === 0 ? undefined : { kind: "printk", lines: best };
}

/** The lines of descriptors that are whole, oldest first. */
function linesOf(read: Read, rings: Rings): LogLine[] | undefined {
  const { layout, countBits, head } = rings;
  const { desc, info, word } = layout;
  const count = 2 ** countBits;
  const lines: LogLine[] = [];
  const idMask = (1n << BigInt(word * 8 - 2)) - 1n;
  for (let back = 0; back < count && lines.length < MOST_LINES; back++) {
    const id = (head - BigInt(back)) & idMask;
    const index = id & BigInt(count - 1);
    const one = read(rings.descs + index * BigInt(desc.size), desc.size);
    if (one === undefined) return back === 0 ? undefined : lines.reverse();
    const state = uint(one, desc.state, word);
    const kind = Number(state >> BigInt(word * 8 - 2));
    if ((state & idMask) !== id) break;
    if (kind !== COMMITTED && kind !== FINALIZED) continue;
    const about = read(rings.infos + index * BigInt(info.size), info.size);
    if (about === undefined) break;
    // A message has the place in the ring that its number says; infos of another size do not show that.
    if ((uint(about, 0, 8) & BigInt(count - 1)) !== index) continue;
    const text = textOf(read, rings, uint(one, desc.begin, word), uint(one, desc.next, word), {
      id,
      length: Number(uint(about, info.length, 2)),
    });
    if (text === undefined) continue;
    const seconds = Number(uint(about, info.time, 8)) / NS;
    const level = about[info.level] >> LEVEL_SHIFT;
    for (const part of text.split("\n").reverse()) lines.push({ seconds, level, text: part });
  }
  return lines.reverse();
}

function textOf(
  read: Read,
  { layout: { word }, sizeBits, data }: Rings,
  begin: bigint,
  next: bigint,
  { id, length }: { id: bigint; length: number },
): string | undefined {
  if ((begin & NO_DATA) !== 0n) return undefined;
  const mask = (1n << BigInt(sizeBits)) - 1n;
  const wraps = begin >> BigInt(sizeBits) !== (next - 1n) >> BigInt(sizeBits);
  const at = wraps ? 0n : begin & mask;
  const block = read(data + at, word + Math.min(length, LONGEST_TEXT));
  if (block === undefined || uint(block, 0, word) !== id) return undefined;
  return String.fromCharCode(...block.subarray(word)).trimEnd();
}

/**
 * Heads of rings in RAM, for kernels that name them nowhere: sizes that fit each other before pointers to where the kernel's
 * memory is. `toLinear` says where a guest-physical address is in the kernel.
 */
export function* printkHeads(ram: Ram, word: 4 | 8, least: bigint): Generator<number> {
  const places: number[] = [];
  const layouts = usualLayouts(word);
  eachPiece(ram, (bytes, start) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + HEAD_BYTES <= bytes.length; at += word) {
      const bits = view.getUint32(at, true);
      if (bits < FEWEST_DESCS_BITS || bits > MOST_DESCS_BITS) continue;
      for (const { ring } of layouts) {
        if (view.getUint32(at + ring.sizeBits, true) !== bits + AVERAGE_BITS) continue;
        const pointers = [ring.descs, ring.infos, ring.data].map((offset) =>
          word === 8 ? view.getBigUint64(at + offset, true) : BigInt(view.getUint32(at + offset, true)),
        );
        if (pointers.every((pointer) => pointer >= least)) places.push(start + at);
      }
      if (places.length >= MOST_HEADS) return true;
    }
    return false;
  });
  yield* places;
}

/** Heads that are tried. */
const MOST_HEADS = 32;
