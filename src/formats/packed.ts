/**
 * Files that are packed as a whole, as Xen and GNU Mach are shipped (boot loaders unpack those themselves). Knows no
 * format inside.
 */
import { CodecError } from "../codecs/codec-error.js";
import { decompress } from "../codecs/decompress.js";
import { identifyCodec } from "../codecs/identify.js";
import type { CodecName } from "../spec/compression.js";
import { ByteView } from "../bytes/byte-view.js";
import { FormatError } from "./format-error.js";
import { meaningOf, type UnpackLimit } from "./unpack-limit.js";
import { byMagic, insidePacked } from "./unrecognised.js";

/** For people: how a file is packed. */
export function packedWith(codec: CodecName): string {
  return `packed with ${codec}`;
}

/** What is inside, or undefined when the file is not packed by a codec that is read here. Throws FormatError. */
export function unpackFile(
  bytes: Uint8Array,
  limit: UnpackLimit,
): { bytes: Uint8Array; codec: CodecName } | undefined {
  const codec = identifyCodec(bytes);
  if (typeof codec !== "string") return undefined;
  let named: FormatError | undefined;
  // An initramfs may be larger than any kernel: its beginning says what it is.
  const onLimit = (beginning: Uint8Array): void => void (named = byMagic(new ByteView(beginning)));
  try {
    return { bytes: decompress(codec, bytes, { maxOutput: limit.maxOutput, onLimit }).bytes, codec };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    if (named !== undefined) throw insidePacked(named, packedWith(codec));
    const { offset, found, expected } = error;
    throw new FormatError(
      codec,
      { offset, found, expected, meaning: meaningOf(error, limit) },
      { cause: error },
    );
  }
}
