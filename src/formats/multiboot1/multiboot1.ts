/**
 * Reader for the Multiboot (version 1) header, which any file may carry in its first 8 KiB. Reads and checks what
 * the header says of itself; whether the image can be loaded by it is decided in `boot/`.
 *
 * Specification: Multiboot Specification 0.6.96, §3.1.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import {
  MULTIBOOT1_FLAG,
  MULTIBOOT1_HEADER,
  MULTIBOOT1_HEADER_ALIGNMENT,
  MULTIBOOT1_SEARCH,
} from "../../spec/multiboot1.js";
import { FormatError, type FormatFault } from "../format-error.js";
import { explainAbsence, findHeader, findLostHeader, type HeaderPattern } from "../header-search.js";

export const MULTIBOOT1 = "Multiboot";

const AT = MULTIBOOT1_HEADER.OFFSET;
const PATTERN: HeaderPattern = {
  name: MULTIBOOT1,
  magic: MULTIBOOT1_HEADER.MAGIC,
  window: MULTIBOOT1_SEARCH,
  alignment: MULTIBOOT1_HEADER_ALIGNMENT,
  summed: [AT.MAGIC, AT.FLAGS, AT.CHECKSUM],
  size: MULTIBOOT1_HEADER.SIZE,
};

/** §3.1.3: where the image goes, guest-physical; valid with flag 16. */
export interface Multiboot1Addresses {
  readonly headerAddr: number;
  readonly loadAddr: number;
  /** 0: to the end of the file. */
  readonly loadEndAddr: number;
  /** 0: no bss. */
  readonly bssEndAddr: number;
  readonly entryAddr: number;
}

/** §3.1.4: the video mode that is preferred; valid with flag 2. */
export interface Multiboot1Graphics {
  readonly modeType: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

export interface Multiboot1Header {
  /** File offset. */
  readonly offset: number;
  readonly flags: number;
  readonly checksum: number;
  readonly addresses: Multiboot1Addresses | undefined;
  readonly graphics: Multiboot1Graphics | undefined;
}

/** The header; undefined when the file has none. Throws FormatError for one that is cut off. */
export function findMultiboot1(bytes: Uint8Array): Multiboot1Header | undefined {
  const view = new ByteView(bytes);
  const offset = findHeader(view, PATTERN);
  return offset === undefined ? undefined : readHeader(view, offset);
}

/** A sound header too far behind the file's beginning to be found; undefined when there is none. */
export function lostMultiboot1(bytes: Uint8Array): FormatFault | undefined {
  return findLostHeader(new ByteView(bytes), PATTERN);
}

/** Why there is no header. `hasMagic`: the magic number is there, so it was meant to be one. */
export function explainNoMultiboot1(bytes: Uint8Array): ReturnType<typeof explainAbsence> {
  return explainAbsence(new ByteView(bytes), PATTERN);
}

function readHeader(view: ByteView, offset: number): Multiboot1Header {
  const flags = view.u32(offset + AT.FLAGS);
  const hasAddresses = (flags & MULTIBOOT1_FLAG.ADDRESSES) !== 0;
  const hasGraphics = (flags & MULTIBOOT1_FLAG.VIDEO_MODE) !== 0;
  const size = hasGraphics
    ? MULTIBOOT1_HEADER.SIZE_WITH_GRAPHICS
    : hasAddresses
      ? MULTIBOOT1_HEADER.SIZE_WITH_ADDRESSES
      : MULTIBOOT1_HEADER.SIZE;
  const end = Math.min(MULTIBOOT1_SEARCH, view.length);
  if (offset + size > end) {
    throw new FormatError(MULTIBOOT1, {
      offset,
      found: `a header of ${size} bytes (flags ${hex(flags)}) that ends at ${hex(offset + size)}`,
      expected: `it to end by ${hex(end)}: the first ${MULTIBOOT1_SEARCH} bytes of the file`,
      meaning: "The flags promise fields that are not there, or the header lies too far back.",
    });
  }
  const word = (at: number): number => view.u32(offset + at);
  return {
    offset,
    flags,
    checksum: word(AT.CHECKSUM),
    addresses: hasAddresses
      ? {
          headerAddr: word(AT.HEADER_ADDR),
          loadAddr: word(AT.LOAD_ADDR),
          loadEndAddr: word(AT.LOAD_END_ADDR),
          bssEndAddr: word(AT.BSS_END_ADDR),
          entryAddr: word(AT.ENTRY_ADDR),
        }
      : undefined,
    graphics: hasGraphics
      ? {
          modeType: word(AT.MODE_TYPE),
          width: word(AT.WIDTH),
          height: word(AT.HEIGHT),
          depth: word(AT.DEPTH),
        }
      : undefined,
  };
}
