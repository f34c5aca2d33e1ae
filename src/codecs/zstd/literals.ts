/**
 * The literals section of a compressed block. Source: RFC 8878 §3.1.1.3.1. Knows nothing of sequences.
 */
import { decodeStream, readHuffmanTable } from "./huffman.js";
import type { HuffmanTable } from "./huffman.js";
import type { ZstdInput } from "./input.js";
import { LITERALS, MAX_BLOCK } from "./numbers.js";

/** Literals of a block: in `bytes` from `from` on. Either the input itself, or the section's own buffer. */
export interface Literals {
  bytes: Uint8Array;
  from: number;
  size: number;
  /** Position after the section. */
  next: number;
}

/** The section's sizes as its header gives them. */
interface Header {
  type: number;
  size: number;
  packed: number;
  streams: 1 | 4;
  next: number;
}

/** Reads literals sections; keeps the Huffman table from block to block, as the format does. */
export class LiteralsReader {
  private table: HuffmanTable | undefined;
  private readonly buffer = new Uint8Array(MAX_BLOCK);

  constructor(private readonly input: ZstdInput) {}

  /** Forgets the table: a frame begins. */
  reset(): void {
    this.table = undefined;
  }

  /** Reads the section at `at`. The result is valid until the next call. Throws CodecError. */
  read(at: number, end: number): Literals {
    const { input, buffer } = this;
    const header = this.header(at, end);
    const { size, next } = header;
    if (size > MAX_BLOCK) throw input.corrupt(at, `${size} literals in a block`, `at most ${MAX_BLOCK}`);
    if (header.type === LITERALS.RAW) {
      input.need(next, size, end, "literals");
      return { bytes: input.bytes, from: next, size, next: next + size };
    }
    if (header.type === LITERALS.RLE) {
      input.need(next, 1, end, "literals");
      buffer.fill(input.bytes[next], 0, size);
      return { bytes: buffer, from: 0, size, next: next + 1 };
    }
    input.need(next, header.packed, end, "compressed literals");
    this.unpack(header);
    return { bytes: buffer, from: 0, size, next: next + header.packed };
  }

  /** §3.1.1.3.1.1 */
  private header(at: number, end: number): Header {
    const { input } = this;
    input.need(at, 1, end, "the literals section header");
    const type = input.bytes[at] & 3;
    const format = (input.bytes[at] >> 2) & 3;
    if (type === LITERALS.RAW || type === LITERALS.RLE) {
      // 5, 12 or 20 bits; a 5-bit size leaves the format's upper bit to the size.
      const bytes = (format & 1) === 0 ? 1 : format === 1 ? 2 : 3;
      input.need(at, bytes, end, "the literals section header");
      const word = input.view.getUint32(at, true) & ((1 << (8 * bytes)) - 1);
      return { type, size: word >>> (bytes === 1 ? 3 : 4), packed: 0, streams: 1, next: at + bytes };
    }
    const bytes = format < 2 ? 3 : format + 2;
    const width = format < 2 ? 10 : format === 2 ? 14 : 18;
    input.need(at, bytes, end, "the literals section header");
    const low = input.view.getUint32(at, true);
    const mask = (1 << width) - 1;
    const size = (low >>> 4) & mask;
    // The second size starts in bit 4 + width, and needs the fifth byte at 18 bits.
    const upper = input.view.getUint32(at + 1, true);
    const packed = (upper >>> (width - 4)) & mask;
    return { type, size, packed, streams: format === 0 ? 1 : 4, next: at + bytes };
  }

  private unpack(header: Header): void {
    const { input } = this;
    let at = header.next;
    const end = at + header.packed;
    if (header.type === LITERALS.COMPRESSED) {
      const { table, next } = readHuffmanTable(input, at, end);
      this.table = table;
      at = next;
    }
    const { table } = this;
    if (!table) throw input.corrupt(at, "literals that reuse a Huffman tree", "an earlier block with a tree");
    if (header.streams === 1)
      decodeStream(input, table, { start: at, end, out: this.buffer, from: 0, to: header.size });
    else this.fourStreams(at, end, table, header.size);
  }

  /** §3.1.1.3.1.6: three sizes, then four streams with a quarter of the literals each. */
  private fourStreams(at: number, end: number, table: HuffmanTable, size: number): void {
    const { input, buffer } = this;
    const jump = 6;
    input.need(at, jump, end, "the jump table");
    const quarter = (size + 3) >> 2;
    if (quarter * 3 > size) throw input.corrupt(at, `${size} literals in four streams`, "at least 6");
    let from = at + jump;
    for (let i = 0; i < 4; i++) {
      const to = i === 3 ? end : from + input.view.getUint16(at + 2 * i, true);
      if (to > end) throw input.corrupt(at, `stream ${i + 1} beyond the literals`, "sizes that fit");
      decodeStream(input, table, {
        start: from,
        end: to,
        out: buffer,
        from: quarter * i,
        to: i === 3 ? size : quarter * (i + 1),
      });
      from = to;
    }
  }
}
