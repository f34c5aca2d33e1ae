/**
 * The payload of a bzImage: where it is, how it is packed, and unpacking it on the host to reach the ELF inside.
 * Source: boot.rst, "payload_offset", "payload_length". Knows no loader.
 */
import { hex, hexBytes } from "../../bytes/hex.js";
import { ByteView } from "../../bytes/byte-view.js";
import { CodecError } from "../../codecs/codec-error.js";
import { decompress } from "../../codecs/decompress.js";
import { identifyCodec } from "../../codecs/identify.js";
import type { CodecName } from "../../spec/compression.js";
import { ELF_MAGIC } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import type { SetupHeader } from "../../spec/linux-boot.js";
import { FormatError } from "../format-error.js";
import { meaningOf, type UnpackLimit } from "../unpack-limit.js";
import { BZIMAGE } from "./setup-header.js";

/** The compressed kernel inside. */
export interface Payload {
  /** File offset. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The codec that unpacks it; undefined when it is not packed, or with something that is not read here. */
  readonly codec: CodecName | undefined;
  /** For people: the codec's name, "none (ELF)" or "unknown". */
  readonly codecName: string;
}

/** Bytes that Linux's build appends to every payload but gzip's: the unpacked size, little-endian. */
export const SIZE_TRAILER = 4;
/** How many first bytes of an unknown payload an error shows. */
const SHOWN = 8;

/** Finds the payload by the header; undefined when the header names none. Throws FormatError. */
export function locatePayload(
  header: SetupHeader,
  kernel: Uint8Array,
  kernelOffset: number,
): Payload | undefined {
  if (header.payload_offset === 0 || header.payload_length === 0) return undefined;
  const end = header.payload_offset + header.payload_length;
  if (end > kernel.length) {
    throw new FormatError(BZIMAGE, {
      offset: SETUP_OFFSET.payload_offset,
      found: `a payload at ${hex(header.payload_offset)}, ${header.payload_length} bytes long`,
      expected: `it to end within the ${kernel.length} bytes of protected-mode code`,
      meaning: "The kernel file is cut short or its header is damaged: fetch or build it again.",
    });
  }
  const bytes = kernel.subarray(header.payload_offset, end);
  const offset = kernelOffset + header.payload_offset;
  const codec = identifyCodec(bytes);
  if (typeof codec === "string") return { offset, bytes, codec, codecName: codec };
  return {
    offset,
    bytes,
    codec: undefined,
    codecName: codec?.unsupported ?? (isElf(bytes) ? "none (ELF)" : "unknown"),
  };
}

function isElf(bytes: Uint8Array): boolean {
  return ELF_MAGIC.every((value, i) => bytes[i] === value);
}

/** The unpacked size that the payload's last four bytes claim (a hint only: nobody vouches for it). */
export function claimedSize(payload: Payload): number {
  const view = new ByteView(payload.bytes);
  return view.length < SIZE_TRAILER ? 0 : view.u32(view.length - SIZE_TRAILER);
}

/** What payloads came to: who asks where an image boots asks several times, and unpacking takes time. */
const done = new WeakMap<Payload, Uint8Array>();

/**
 * The kernel inside a bzImage, unpacked: an ELF file as a rule. Shares the image's bytes when it is not packed.
 * Throws FormatError with the file offset for a payload that is missing, damaged, too large or packed with
 * something that is not read here.
 */
export function decompressPayload(
  image: { readonly payload: Payload | undefined; readonly protocol: number },
  limit: UnpackLimit,
): Uint8Array {
  const { payload, protocol } = image;
  if (!payload) {
    const named = protocol >= PROTOCOL.V2_08;
    throw new FormatError(BZIMAGE, {
      offset: named ? SETUP_OFFSET.payload_offset : SETUP_OFFSET.version,
      found: named
        ? "no payload (payload_offset 0)"
        : `boot protocol ${hex(protocol, 4)}, whose header names no payload (2.08 is the first)`,
      expected: "a compressed kernel inside the image",
      meaning: "It can only be started through its own entry points, not by the ELF inside.",
    });
  }
  if (payload.codec === undefined) return unpacked(payload);
  const known = done.get(payload);
  if (known !== undefined && known.length <= limit.maxOutput) return known;
  try {
    const sizeHint = claimedSize(payload);
    const { bytes } = decompress(payload.codec, payload.bytes, { maxOutput: limit.maxOutput, sizeHint });
    done.set(payload, bytes);
    return bytes;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new FormatError(
      BZIMAGE,
      {
        offset: payload.offset + error.offset,
        found: `${error.found} in the ${payload.codec} payload`,
        expected: error.expected,
        meaning: meaningOf(error, limit),
      },
      { cause: error },
    );
  }
}

function unpacked(payload: Payload): Uint8Array {
  if (isElf(payload.bytes)) return payload.bytes;
  throw new FormatError(BZIMAGE, {
    offset: payload.offset,
    found: `a payload packed with ${payload.codecName} (${hexBytes(payload.bytes, SHOWN)})`,
    expected: "gzip, zstd, xz, lzma or lz4",
    meaning: "This compression is not read here: boot the image by its own entry points, which unpack it.",
  });
}
