/**
 * The one error of the codecs: which codec, where in the compressed stream, what was found and expected, what it
 * usually means. Knows no file format around the stream.
 */
import { hex } from "../bytes/hex.js";
import type { CodecName } from "../spec/compression.js";

/** Why a stream was refused: its bytes are wrong, it ends early, or it is larger than the caller allows. */
export type CodecFaultKind = "corrupt" | "truncated" | "too-large" | "unsupported";

const MEANING: Readonly<Record<CodecFaultKind, string>> = {
  corrupt: "The compressed data is damaged: fetch or build the file again.",
  truncated: "The compressed data is cut short: fetch or build the file again.",
  "too-large":
    "It unpacks to more than the limit: allow more, or unpack it first, if that is expected; else it is a bomb.",
  unsupported: "The stream uses a feature that is not read here: pack it again without it.",
};

/** A compressed stream that cannot be unpacked. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly meaning: string;

  constructor(
    readonly codec: CodecName,
    readonly kind: CodecFaultKind,
    /** Offset in the compressed stream. */
    readonly offset: number,
    readonly found: string,
    readonly expected: string,
  ) {
    super(`${codec}, offset ${hex(offset)}: found ${found}; expected ${expected}. ${MEANING[kind]}`);
    this.meaning = MEANING[kind];
  }
}
