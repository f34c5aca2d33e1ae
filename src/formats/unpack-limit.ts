/**
 * How much a packed file may unpack to. A file of some kilobytes can unpack to gigabytes, so there is always a limit: the
 * guest's memory where a kernel is booted, and for a file that is only looked at a limit by its own size.
 */
import type { CodecError } from "../codecs/codec-error.js";

/** A limit, and what to say when it is passed. */
export interface UnpackLimit {
  /** Bytes that the result may have. */
  readonly maxOutput: number;
  /** What it means that there is more, and what to do; the codec's own words when absent. */
  readonly tooLarge?: string;
}

const MIB = 2 ** 20;
/**
 * Kernels are two to ten times as large as when packed, sparse ones twenty times, and without debugging information
 * smaller than `MOST`. `LEAST` is for small files. Under these, no file takes 300 MB, and one of less than 1 MiB no
 * more than two seconds, in the slowest format.
 */
const DESCRIBED = { LEAST: 32 * MIB, RATIO: 20, MOST: 96 * MIB } as const;

/** What a file of `packedSize` bytes may unpack to when it is only described. */
export function describingLimit(packedSize: number): UnpackLimit {
  const { LEAST, RATIO, MOST } = DESCRIBED;
  return {
    maxOutput: Math.min(Math.max(LEAST, RATIO * packedSize), MOST),
    tooLarge:
      `To describe a packed file, ${LEAST / MIB} MiB are unpacked, or ${RATIO} times its size up to ${MOST / MIB} MiB. ` +
      "A kernel with debugging information can be larger: unpack it first and give the result (to boot it, the limit is " +
      "the guest's memory). Any other such file is made to fill memory.",
  };
}

/** The meaning of a codec's error under a limit. */
export function meaningOf({ kind, meaning }: CodecError, { tooLarge }: UnpackLimit): string {
  return kind === "too-large" ? (tooLarge ?? meaning) : meaning;
}
