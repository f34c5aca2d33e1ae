/**
 * LZMA2: chunks of LZMA data and of plain bytes. Numbers and source in xz/numbers.ts. Knows no block or stream.
 */
import { hex } from "../../bytes/hex.js";
import { CodecError } from "../codec-error.js";
import { LzmaDecoder, lzmaProperties } from "../lzma/decoder.js";
import type { Output } from "../output.js";
import { LZMA2, LZMA2_MAX_LC_LP, RESET } from "./numbers.js";

/** What must still be reset before an LZMA chunk may come. */
type Need = "dictionary" | "properties" | "state" | "nothing";

/**
 * Unpacks chunks from input[at] up to the end mark onto the output.
 * @param dictionarySize distances beyond it are corrupt, bytes
 * @returns the offset after the end mark. Throws CodecError.
 */
export function unpackLzma2(input: Uint8Array, at: number, dictionarySize: number, output: Output): number {
  return new Lzma2(input, at, dictionarySize, output).run();
}

class Lzma2 {
  private readonly decoder: LzmaDecoder;
  private need: Need = "dictionary";

  constructor(
    private readonly input: Uint8Array,
    private at: number,
    dictionarySize: number,
    private readonly output: Output,
  ) {
    this.decoder = new LzmaDecoder("xz", input, output);
    this.decoder.dictionarySize = dictionarySize;
  }

  run(): number {
    for (;;) {
      const control = this.bytes(1, "a chunk's control byte");
      if (control === LZMA2.END) return this.at;
      if (control >= LZMA2.LZMA) this.lzma(control);
      else if (control === LZMA2.RAW || control === LZMA2.RAW_RESET) this.raw(control);
      else throw this.corrupt(this.at - 1, `control byte ${hex(control)}`, "0 to 2, or 0x80 and above");
    }
  }

  private corrupt(at: number, found: string, expected: string): CodecError {
    return new CodecError("xz", "corrupt", at, found, expected);
  }

  /** The next `size` bytes as a big-endian integer. */
  private bytes(size: number, what: string): number {
    this.require(size, what);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.input[this.at++];
    return value;
  }

  private require(size: number, what: string): void {
    if (size <= this.input.length - this.at) return;
    throw new CodecError(
      "xz",
      "truncated",
      this.input.length,
      "the end of the data",
      `${size} bytes of ${what}`,
    );
  }

  private reserve(size: number): void {
    if (this.output.reserve(size)) return;
    const { max } = this.output;
    this.output.stopAtLimit();
    throw new CodecError("xz", "too-large", this.at, `more than ${max} bytes`, "no more than that");
  }

  private resetDictionary(): void {
    this.decoder.dictionaryStart = this.output.length;
  }

  /** A chunk of plain bytes. */
  private raw(control: number): void {
    if (control === LZMA2.RAW_RESET) {
      this.resetDictionary();
      this.need = "properties";
    } else if (this.need === "dictionary") {
      throw this.corrupt(this.at - 1, "a first chunk without a dictionary reset", "one");
    }
    const size = this.bytes(2, "a chunk's size") + 1;
    this.require(size, "an uncompressed chunk");
    this.reserve(size);
    this.output.bytes.set(this.input.subarray(this.at, this.at + size), this.output.length);
    this.output.length += size;
    this.at += size;
    // The state's history does not know these bytes: it must be renewed before LZMA goes on.
    if (this.need === "nothing") this.need = "state";
  }

  private lzma(control: number): void {
    const start = this.at - 1;
    const size = (control & LZMA2.SIZE_MASK) * 0x1_0000 + this.bytes(2, "a chunk's size") + 1;
    const packed = this.bytes(2, "a chunk's packed size") + 1;
    this.reset((control >> LZMA2.RESET_SHIFT) & LZMA2.RESET_MASK, start);
    this.require(packed, "an LZMA chunk");
    this.reserve(size);
    const { decoder, output } = this;
    const end = this.at + packed;
    decoder.startRange(this.at, end);
    const limit = output.length + size;
    if (decoder.run(limit, limit) === "marker" || !decoder.finished || decoder.at !== end) {
      throw this.corrupt(start, `an LZMA chunk that ends at ${hex(decoder.at)}`, `its end at ${hex(end)}`);
    }
    this.at = end;
  }

  private reset(what: number, start: number): void {
    if (what === RESET.DICTIONARY) this.resetDictionary();
    else if (this.need === "dictionary")
      throw this.corrupt(start, "a first chunk without a dictionary reset", "one");
    if (what >= RESET.PROPERTIES) {
      const byte = this.bytes(1, "a chunk's properties");
      const properties = lzmaProperties(byte);
      if (!properties || properties.lc + properties.lp > LZMA2_MAX_LC_LP) {
        throw this.corrupt(this.at - 1, `properties ${byte}`, "lc + lp of at most 4");
      }
      this.decoder.setProperties(properties);
    } else if (this.need === "dictionary" || this.need === "properties") {
      throw this.corrupt(start, "a chunk without properties", "them after a dictionary reset");
    } else if (what === RESET.STATE) this.decoder.resetState();
    else if (this.need === "state") throw this.corrupt(start, "a chunk without a state reset", "one");
    this.need = "nothing";
  }
}
