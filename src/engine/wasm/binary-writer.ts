/** A growing byte buffer with the number encodings of WebAssembly (core 2.0 §5.2). */

const NUMBERS = new DataView(new ArrayBuffer(8));

const INITIAL_CAPACITY = 1024;
/** 2 to the power of the bits of a LEB128 byte. */
const LEB_UNIT = 128;

export class BinaryWriter {
  private buffer: Uint8Array;
  length = 0;

  constructor(capacity = INITIAL_CAPACITY) {
    this.buffer = new Uint8Array(capacity);
  }

  /** Writes over a byte that was written. */
  replace(position: number, value: number): void {
    this.buffer[position] = value;
  }

  /** Starts anew in the same buffer. */
  clear(): void {
    this.length = 0;
  }

  private grow(extra: number): void {
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + extra));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  /** The bytes written so far; valid until the next write. */
  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  byte(value: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = value;
  }

  raw(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.buffer.length) this.grow(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Unsigned LEB128 of a 32-bit value. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  signed(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit value; a number must be a safe integer. */
  signed64(value: number | bigint): void {
    if (typeof value === "bigint") return this.signedBig(BigInt.asIntN(64, value));
    let rest = value;
    while (rest !== (rest | 0)) {
      this.byte((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / LEB_UNIT);
    }
    this.signed(rest);
  }

  private signedBig(value: bigint): void {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && !(low & 0x40)) || (rest === -1n && low & 0x40)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  float32(value: number): void {
    NUMBERS.setFloat32(0, value, true);
    this.raw(new Uint8Array(NUMBERS.buffer, 0, 4));
  }

  float64(value: number): void {
    NUMBERS.setFloat64(0, value, true);
    this.raw(new Uint8Array(NUMBERS.buffer, 0, 8));
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.unsigned(bytes.length);
    this.raw(bytes);
  }

  /** Writes a section: id, size, contents. */
  section(id: number, contents: BinaryWriter): void {
    this.byte(id);
    this.unsigned(contents.length);
    this.raw(contents.bytes());
  }
}
