/**
 * Checked reads and writes of integers, strings and slices in a Uint8Array. Every access outside the bytes is a
 * BoundsError with the absolute offset; nothing is ever read as undefined or written into the void. Knows no
 * format. Little-endian unless the name says `be`.
 */
import { TWO_32 } from "./words.js";
import { BoundsError } from "./bounds-error.js";
import { hex } from "./hex.js";

const U32_MAX = 0xffff_ffff;
/** Characters that are made at once: one by one, each would be an object of its own. */
const TEXT_CHUNK = 4096;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A window on bytes. Offsets are relative to the window; errors carry `base + offset`. */
export class ByteView {
  readonly bytes: Uint8Array;
  /** Where the window starts in the outermost bytes (0 for a whole file). */
  readonly base: number;
  private readonly data: DataView;

  constructor(bytes: Uint8Array, base = 0) {
    this.bytes = bytes;
    this.base = base;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Whether `size` bytes at `offset` lie inside. False for anything that is not a safe non-negative integer. */
  holds(offset: number, size: number): boolean {
    return (
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(size) &&
      offset >= 0 &&
      size >= 0 &&
      offset <= this.bytes.length &&
      size <= this.bytes.length - offset
    );
  }

  /** Throws BoundsError unless `size` bytes at `offset` lie inside. */
  check(offset: number, size: number): void {
    if (!this.holds(offset, size)) {
      throw new BoundsError(this.base + offset, size, this.base + this.bytes.length);
    }
  }

  u8(offset: number): number {
    this.check(offset, 1);
    return this.data.getUint8(offset);
  }

  u16(offset: number): number {
    this.check(offset, 2);
    return this.data.getUint16(offset, true);
  }

  u32(offset: number): number {
    this.check(offset, 4);
    return this.data.getUint32(offset, true);
  }

  i32(offset: number): number {
    this.check(offset, 4);
    return this.data.getInt32(offset, true);
  }

  u64(offset: number): bigint {
    this.check(offset, 8);
    return this.data.getBigUint64(offset, true);
  }

  /** A 64-bit integer as a number; undefined when it is above 2^53 - 1, which no file offset or size is. */
  u64Number(offset: number): number | undefined {
    this.check(offset, 8);
    const value = this.data.getUint32(offset + 4, true) * TWO_32 + this.data.getUint32(offset, true);
    return Number.isSafeInteger(value) ? value : undefined;
  }

  u16be(offset: number): number {
    this.check(offset, 2);
    return this.data.getUint16(offset, false);
  }

  u32be(offset: number): number {
    this.check(offset, 4);
    return this.data.getUint32(offset, false);
  }

  u64be(offset: number): bigint {
    this.check(offset, 8);
    return this.data.getBigUint64(offset, false);
  }

  /** The bytes themselves (shared, not copied). */
  slice(offset: number, size: number): Uint8Array {
    this.check(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** A narrower window whose errors still count from the outermost start. */
  view(offset: number, size: number): ByteView {
    return new ByteView(this.slice(offset, size), this.base + offset);
  }

  /** Whether the ASCII text stands at `offset`; false when it does not fit. */
  matches(offset: number, text: string): boolean {
    if (!this.holds(offset, text.length)) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.bytes[offset + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  /** `size` bytes as Latin-1 text (every byte has a character; nothing is lost or refused). */
  latin1(offset: number, size: number): string {
    const bytes = this.slice(offset, size);
    if (size <= TEXT_CHUNK) return String.fromCharCode(...bytes);
    const chunks: string[] = [];
    for (let at = 0; at < size; at += TEXT_CHUNK) {
      chunks.push(String.fromCharCode(...bytes.subarray(at, at + TEXT_CHUNK)));
    }
    return chunks.join("");
  }

  /** The Latin-1 text before the first NUL within `limit` bytes of `offset`; undefined when there is no NUL. */
  cString(offset: number, limit: number): string | undefined {
    this.check(offset, 0);
    const end = Math.min(this.bytes.length, offset + limit);
    const nul = this.bytes.subarray(offset, end).indexOf(0);
    return nul < 0 ? undefined : this.latin1(offset, nul);
  }

  setU8(offset: number, value: number): void {
    this.writable(offset, 1, value, 0xff);
    this.data.setUint8(offset, value);
  }

  setU16(offset: number, value: number): void {
    this.writable(offset, 2, value, 0xffff);
    this.data.setUint16(offset, value, true);
  }

  setU32(offset: number, value: number): void {
    this.writable(offset, 4, value, U32_MAX);
    this.data.setUint32(offset, value, true);
  }

  /** Takes a bigint in 0 … 2^64-1 or a safe non-negative integer. */
  setU64(offset: number, value: bigint | number): void {
    this.check(offset, 8);
    if (typeof value === "number" && (!Number.isSafeInteger(value) || value < 0)) throw misfit(value, 8);
    const wide = BigInt(value);
    if (wide < 0n || wide > U64_MAX) throw misfit(wide, 8);
    this.data.setBigUint64(offset, wide, true);
  }

  setU16be(offset: number, value: number): void {
    this.writable(offset, 2, value, 0xffff);
    this.data.setUint16(offset, value, false);
  }

  setU32be(offset: number, value: number): void {
    this.writable(offset, 4, value, U32_MAX);
    this.data.setUint32(offset, value, false);
  }

  /** Copies `source` to `offset`. */
  setBytes(offset: number, source: Uint8Array): void {
    this.check(offset, source.length);
    this.bytes.set(source, offset);
  }

  /** Writes Latin-1 text, without a terminator. Throws RangeError for characters above U+00FF. */
  setLatin1(offset: number, text: string): void {
    this.check(offset, text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff) throw misfit(code, 1);
      this.bytes[offset + i] = code;
    }
  }

  private writable(offset: number, size: number, value: number, max: number): void {
    this.check(offset, size);
    if (!Number.isInteger(value) || value < 0 || value > max) throw misfit(value, size);
  }
}

function misfit(value: number | bigint, size: number): RangeError {
  return new RangeError(`${hex(value)} does not fit into ${size} unsigned byte(s)`);
}
