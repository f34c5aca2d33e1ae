/**
 * Files that are packed as a whole, as Xen and GNU Mach are shipped (boot loaders unpack those themselves). Knows no
 * format inside.
 */
import { CodecError } from "../codecs/codec-error.js";
import { decompress } from "../codecs/decompress.js";
import { identifyCodec } from "../codecs/identify.js";
import type { CodecName } from "../spec/compression.js";
import { FormatError } from "./format-error.js";

/** More than any kernel has unpacked; what a caller without an opinion gets. */
export const LARGEST_UNPACKED = 1 << 30;

/** What is inside, or undefined when the file is not packed by a codec that is read here. */
export function unpackFile(
  bytes: Uint8Array,
  maxOutput: number,
): { bytes: Uint8Array; codec: CodecName } | undefined {
  const codec = identifyCodec(bytes);
  if (typeof codec !== "string") return undefined;
  try {
    return { bytes: decompress(codec, bytes, { maxOutput }).bytes, codec };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    const { offset, found, expected, meaning } = error;
    throw new FormatError(codec, { offset, found, expected, meaning }, { cause: error });
  }
}
