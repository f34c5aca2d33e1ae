/**
 * Linux' log from 3.5 to 5.9: records behind each other in one buffer, the last of which says that it goes on at the beginning.
 *
 * ```
 *   0        8     10         12         14         15
 * ┌────────┬─────┬──────────┬──────────┬──────────┬─────────────┬──────┬─────────────┐
 * │ts_nsec │ len │ text_len │ dict_len │ facility │ flags:5 l:3 │ text │ dict, padding│   struct printk_log
 * └────────┴─────┴──────────┴──────────┴──────────┴─────────────┴──────┴─────────────┘
 * ```
 *
 * Source: Linux 5.9 kernel/printk/printk.c.
 */
import { MOST_LINES, type KernelLog, type LogLine } from "./kernel-log.js";
import type { Read } from "./printk-ring.js";

const HEAD = 16;
const OFFSET = { TIME: 0, LENGTH: 8, TEXT_LENGTH: 10, LEVEL: 15 } as const;
const LEVEL_SHIFT = 5;
const NS = 1e9;
const SMALLEST_BUFFER = 4096;
const LARGEST_BUFFER = 2 ** 22;

export interface RecordPlaces {
  read: Read;
  word: 4 | 8;
  told: ReadonlyMap<string, string> | undefined;
  /** What a variable of a word points to. */
  pointer: (name: string) => bigint | undefined;
  /** Where a variable is. */
  address: (name: string) => bigint | undefined;
}

/** Reads it; undefined where there is none. */
export function readRecords({ read, told, pointer, address }: RecordPlaces): KernelLog | undefined {
  const number = (name: string): number | undefined => {
    const at = address(name);
    const bytes = at === undefined ? undefined : read(at, 4);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  };
  const [buffer, size] = [pointer("log_buf"), number("log_buf_len")];
  const [first, next] = [number("log_first_idx"), number("log_next_idx")];
  if (buffer === undefined || size === undefined || first === undefined || next === undefined)
    return undefined;
  if (size < SMALLEST_BUFFER || size > LARGEST_BUFFER || first >= size || next > size) return undefined;
  const bytes = read(buffer, size);
  const head = Number(told?.get("SIZE(printk_log)") ?? HEAD);
  if (bytes === undefined || !(head >= HEAD && head <= 64)) return undefined;
  const lines = recordsOf(bytes, first, next, head);
  return lines.length === 0 ? undefined : { kind: "printk records", lines: lines.slice(-MOST_LINES) };
}

function recordsOf(bytes: Uint8Array, first: number, next: number, head: number): LogLine[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: LogLine[] = [];
  let wrapped = false;
  for (let at = first, left = bytes.length / HEAD; at !== next && left > 0; left--) {
    if (at + head > bytes.length) break;
    const length = view.getUint16(at + OFFSET.LENGTH, true);
    if (length === 0) {
      if (wrapped) break;
      wrapped = true;
      at = 0;
      continue;
    }
    // No text is longer than its record.
    const room = Math.max(0, Math.min(view.getUint16(at + OFFSET.TEXT_LENGTH, true), length - head));
    const text = bytes.subarray(at + head, at + head + room);
    const seconds = Number(view.getBigUint64(at + OFFSET.TIME, true)) / NS;
    const level = bytes[at + OFFSET.LEVEL] >> LEVEL_SHIFT;
    for (const part of String.fromCharCode(...text.subarray(0, 4096)).split("\n"))
      lines.push({ seconds, level, text: part.trimEnd() });
    at += length;
  }
  return lines;
}
