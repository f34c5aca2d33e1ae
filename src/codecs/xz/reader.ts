/**
 * A cursor over .xz bytes: variable-length integers, CRCs, padding, each with its error. Source: The .xz File
 * Format 1.2.1 §1.2. Knows no structure of the format.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { CodecError } from "../codec-error.js";
import { crc32 } from "../crc32.js";
import { MAX_VLI_SIZE } from "./numbers.js";

/** Reads forward from `at`. */
export class XzReader {
  readonly view: ByteView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.view = new ByteView(bytes);
  }

  corrupt(at: number, found: string, expected: string): CodecError {
    return new CodecError("xz", "corrupt", at, found, expected);
  }

  /** Throws unless `size` more bytes are there. */
  require(size: number, what: string): void {
    if (this.view.holds(this.at, size)) return;
    throw new CodecError(
      "xz",
      "truncated",
      this.view.length,
      "the end of the data",
      `${size} bytes of ${what}`,
    );
  }

  /** The next byte, which stays. */
  peek(what: string): number {
    this.require(1, what);
    return this.view.u8(this.at);
  }

  byte(what: string): number {
    const value = this.peek(what);
    this.at += 1;
    return value;
  }

  /** A variable-length integer (§1.2). */
  integer(what: string): number {
    const start = this.at;
    let value = 0;
    for (let i = 0; i < MAX_VLI_SIZE; i++) {
      const byte = this.byte(what);
      value += (byte & 0x7f) * 2 ** (7 * i);
      // A last byte of 0 would be a longer form of the same number: not allowed.
      if (byte === 0 && i > 0) break;
      if (byte >= 0x80) continue;
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
    throw this.corrupt(start, `a malformed or huge integer in ${what}`, "a number below 2^53");
  }

  /** A CRC-32 of what went before. */
  crc(covered: Uint8Array, what: string): void {
    this.require(4, `the CRC of ${what}`);
    const stored = this.view.u32(this.at);
    const computed = crc32(covered);
    if (stored !== computed)
      throw this.corrupt(this.at, `CRC-32 ${hex(stored, 8)} of ${what}`, hex(computed, 8));
    this.at += 4;
  }

  /** Zero bytes up to a multiple of four, after `size` bytes. */
  padding(size: number): void {
    for (let i = size; i % 4 !== 0; i++) {
      if (this.byte("padding") !== 0) throw this.corrupt(this.at - 1, "padding that is not zero", "0");
    }
  }
}
