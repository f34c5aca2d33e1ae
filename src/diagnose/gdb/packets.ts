/**
 * Frames of GDB's remote serial protocol: what is between `$` and `#`, acknowledgements, the break byte. Pure: bytes in, events out,
 * whatever the bytes; memory is bounded by the longest packet.
 *
 * Specification: "Debugging with GDB", appendix E.1 (overview).
 */

/** Characters of the longest packet, either way, without its frame: what `PacketSize` says. */
export const PACKET_SIZE = 0x4000;

const START = "$".charCodeAt(0);
const END = "#".charCodeAt(0);
const ESCAPE = "}".charCodeAt(0);
const REPEAT = "*".charCodeAt(0);
const GOT = "+".charCodeAt(0);
const AGAIN = "-".charCodeAt(0);
/** What gdb sends for Ctrl-C. */
const BREAK = 0x03;
/** What an escaped byte is changed by. */
const ESCAPE_XOR = 0x20;
const SUM_MASK = 0xff;
const SUM_DIGITS = 2;
const RADIX = 16;
const HEX_PAIR = /^[0-9a-f]{2}$/i;

export type PacketEvent =
  /** A whole packet with a right sum: its bytes, escapes undone. */
  | { kind: "packet"; bytes: Uint8Array }
  /** One with a wrong sum, or longer than `PACKET_SIZE`. */
  | { kind: "bad" }
  /** `-`: the last packet is wanted again. */
  | { kind: "again" }
  | { kind: "break" };

/** Takes a stream apart. */
export class PacketReader {
  #state: "between" | "inside" | "sum" = "between";
  #sum = 0;
  #escaped = false;
  #tooLong = false;
  #length = 0;
  readonly #bytes = new Uint8Array(PACKET_SIZE);
  #digits = "";

  *push(input: Uint8Array): Generator<PacketEvent> {
    for (const byte of input) {
      const event = this.#take(byte);
      if (event !== undefined) yield event;
    }
  }

  #take(byte: number): PacketEvent | undefined {
    if (this.#state === "sum") return this.#takeDigit(byte);
    if (byte === START) {
      // Of a packet that was cut the rest never comes.
      this.#begin();
      return undefined;
    }
    if (this.#state === "between") return this.#takeBetween(byte);
    if (byte === END) {
      this.#state = "sum";
      this.#digits = "";
      return undefined;
    }
    this.#sum = (this.#sum + byte) & SUM_MASK;
    if (byte === ESCAPE && !this.#escaped) {
      this.#escaped = true;
      return undefined;
    }
    if (this.#length === PACKET_SIZE) this.#tooLong = true;
    else this.#bytes[this.#length++] = this.#escaped ? byte ^ ESCAPE_XOR : byte;
    this.#escaped = false;
    return undefined;
  }

  #begin(): void {
    this.#state = "inside";
    this.#sum = 0;
    this.#length = 0;
    this.#escaped = false;
    this.#tooLong = false;
  }

  #takeBetween(byte: number): PacketEvent | undefined {
    if (byte === BREAK) return { kind: "break" };
    return byte === AGAIN ? { kind: "again" } : undefined;
  }

  #takeDigit(byte: number): PacketEvent | undefined {
    this.#digits += String.fromCharCode(byte);
    if (this.#digits.length < SUM_DIGITS) return undefined;
    this.#state = "between";
    const right = HEX_PAIR.test(this.#digits) && parseInt(this.#digits, RADIX) === this.#sum;
    if (!right || this.#tooLong) return { kind: "bad" };
    return { kind: "packet", bytes: this.#bytes.slice(0, this.#length) };
  }
}

/** Whether a byte cannot stand in a packet as it is. */
function needsEscape(byte: number): boolean {
  return byte === START || byte === END || byte === ESCAPE || byte === REPEAT;
}

/** A packet in its frame; what needs it is escaped. */
export function packet(content: Uint8Array | string): Uint8Array {
  const plain = typeof content === "string" ? asBytes(content) : content;
  const bytes = [START];
  let sum = 0;
  const put = (byte: number): void => {
    bytes.push(byte);
    sum = (sum + byte) & SUM_MASK;
  };
  for (const byte of plain) {
    if (needsEscape(byte)) put(ESCAPE);
    put(needsEscape(byte) ? byte ^ ESCAPE_XOR : byte);
  }
  return Uint8Array.from([...bytes, END, ...asBytes(sum.toString(RADIX).padStart(SUM_DIGITS, "0"))]);
}

/** Says that a packet came, or that it has to come again. */
export function acknowledgement(good: boolean): Uint8Array {
  return Uint8Array.of(good ? GOT : AGAIN);
}

/** Each character a byte: the protocol's text is Latin-1. */
export function asBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The opposite. */
export function asText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(RADIX).padStart(2, "0")).join("");
}

/** The bytes of pairs of digits; undefined for anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    parseInt(text.slice(2 * i, 2 * i + 2), RADIX),
  );
}

/** An address as packets have it, 64 bits at most; undefined for anything else. */
export function hexAddress(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A length or count as packets have it, at most 32 bits; undefined for anything else. */
export function hexNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? parseInt(text, RADIX) : undefined;
}
