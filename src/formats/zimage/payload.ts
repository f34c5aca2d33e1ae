/**
 * The compressed kernel inside a zImage. No field says where it begins: it is looked for by the magic numbers of the
 * packers that Linux uses, as Linux's own scripts/extract-vmlinux does; where the extension table says where it ends, that
 * is used. Knows no loader.
 */
import type { ByteView } from "../../bytes/byte-view.js";
import { CodecError } from "../../codecs/codec-error.js";
import { crc32 } from "../../codecs/crc32.js";
import { decompress } from "../../codecs/decompress.js";
import { STREAM_FLAGS_SIZE, STREAM_HEADER } from "../../codecs/xz/numbers.js";
import { ZIMAGE } from "../../spec/arm-boot.js";
import { COMPRESSION_MAGICS, type CodecName } from "../../spec/compression.js";
import { FormatError } from "../format-error.js";
import type { ZImageTable } from "./table.js";

/** The compressed kernel. */
export interface ZImagePayload {
  /** File offset. */
  readonly offset: number;
  /** To where the table says it ends, else to the end of the file: what follows belongs to the decompressor. */
  readonly bytes: Uint8Array;
  /** The codec that unpacks it; undefined for one that is not read here. */
  readonly codec: CodecName | undefined;
  /** For people. */
  readonly codecName: string;
}

/** Streams that Linux packs 32-bit ARM kernels into, by more bytes than their magic number has: these occur in code. */
const STARTS: readonly { name: string; codec: CodecName | undefined; bytes: readonly number[] }[] = [
  // RFC 1952: deflate; its three reserved flags are looked at too.
  { name: "gzip", codec: "gzip", bytes: [0x1f, 0x8b, 0x08] },
  ...(["xz", "lz4-legacy", "lzo"] as const).map((name) => ({
    name,
    codec: name === "lzo" ? undefined : name,
    bytes: COMPRESSION_MAGICS.find((one) => one.name === name)?.bytes ?? [],
  })),
  // LZMA alone, size unknown: five bytes of properties of which the last two vary, then eight of ones.
  { name: "lzma", codec: "lzma", bytes: [0x5d, 0x00, 0x00] },
];
const GZIP_FLAGS = { OFFSET: 3, RESERVED: 0xe0 } as const;
const LZMA_SIZE = { OFFSET: 5, LENGTH: 8, UNKNOWN: 0xff } as const;
/** xz and lz4 payloads are followed by their unpacked size; gzip has it inside. */
const TRAILER = 4;
/** The decompressor before the payload is smaller than this (Debian's: 58 KiB); behind it, other things are packed. */
const SEARCHED = 1 << 17;

/** Finds the payload; undefined when there is none (a wrapper, a kernel that is not compressed). */
export function locateZImagePayload(
  view: ByteView,
  table: ZImageTable | undefined,
): ZImagePayload | undefined {
  const sizeOffset = table?.kernelSize?.sizeOffset;
  const stated = sizeOffset !== undefined && view.holds(sizeOffset, TRAILER) ? sizeOffset : undefined;
  const limit = Math.min(view.length, SEARCHED, stated ?? view.length);
  for (let at = ZIMAGE.SIZE; at < limit; at++) {
    const start = STARTS.find((one) => one.bytes[0] === view.bytes[at] && startsAt(view, at, one));
    if (start === undefined) continue;
    const end = stated === undefined ? view.length : start.codec === "gzip" ? stated + TRAILER : stated;
    return {
      offset: at,
      bytes: view.bytes.subarray(at, end),
      codec: start.codec,
      codecName: start.name,
    };
  }
  return undefined;
}

function startsAt(view: ByteView, at: number, { name, bytes }: (typeof STARTS)[number]): boolean {
  if (!view.holds(at, LZMA_SIZE.OFFSET + LZMA_SIZE.LENGTH)) return false;
  if (!bytes.every((value, i) => view.bytes[at + i] === value)) return false;
  if (name === "gzip") return (view.bytes[at + GZIP_FLAGS.OFFSET] & GZIP_FLAGS.RESERVED) === 0;
  if (name === "xz") return xzFlagsSound(view, at);
  if (name !== "lzma") return true;
  const size = view.bytes.subarray(at + LZMA_SIZE.OFFSET, at + LZMA_SIZE.OFFSET + LZMA_SIZE.LENGTH);
  return size.every((byte) => byte === LZMA_SIZE.UNKNOWN);
}

/** The decompressor itself holds xz's magic number: a stream has its flags and their checksum behind it. */
function xzFlagsSound(view: ByteView, at: number): boolean {
  return crc32(view.slice(at + STREAM_HEADER.FLAGS, STREAM_FLAGS_SIZE)) === view.u32(at + STREAM_HEADER.CRC);
}

/**
 * The kernel inside, unpacked: Linux's Image for 32-bit ARM, which has no header.
 * @param options.maxOutput upper bound of the result, bytes
 * Throws FormatError with the file offset when there is no payload, or it is damaged, too large or packed with something
 * that is not read here.
 */
export function unpackZImage(
  image: { readonly payload: ZImagePayload | undefined },
  options: { maxOutput: number },
): Uint8Array {
  const { payload } = image;
  if (payload?.codec === undefined) throw noPayload(payload);
  try {
    return decompress(payload.codec, payload.bytes, options).bytes;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    const { found, expected, meaning } = error;
    throw new FormatError(
      "ARM zImage",
      {
        offset: payload.offset + error.offset,
        found: `${found} in the ${payload.codec} payload`,
        expected,
        meaning,
      },
      { cause: error },
    );
  }
}

function noPayload(payload: ZImagePayload | undefined): FormatError {
  return new FormatError("ARM zImage", {
    offset: payload?.offset ?? ZIMAGE.CODE,
    found: payload === undefined ? "no compressed kernel" : `a payload packed with ${payload.codecName}`,
    expected: "one packed with gzip, xz, lzma or lz4",
    meaning:
      payload === undefined
        ? "It is a wrapper around a kernel, or a kernel that is not packed."
        : "This compression is not read here: let the image unpack itself by booting it.",
  });
}
