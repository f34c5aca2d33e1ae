/**
 * What the tags of a Multiboot2 header ask of a loader, and whether this machine can give it: required tags that it
 * cannot are refused at their offset, optional ones are passed over.
 *
 * Specification: Multiboot2 2.0, §3.1.3–3.1.13.
 */
import { isPowerOfTwo } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { headerTagName } from "../../formats/multiboot2/facts.js";
import type { Multiboot2Header, Multiboot2Tag } from "../../formats/multiboot2/multiboot2.js";
import {
  CONSOLE_FLAG,
  HEADER_TAG_TYPE,
  INFO_TAG_TYPE_MAX,
  LOAD_PREFERENCE,
  MULTIBOOT2_ARCHITECTURE,
  MULTIBOOT2_HEADER,
} from "../../spec/multiboot2.js";
import type { BootFault } from "../boot-error.js";

/** What is left to do after the rules; of tags that come twice the last one counts. */
export interface Multiboot2Request {
  readonly address: Multiboot2Tag | undefined;
  readonly entry: Multiboot2Tag | undefined;
  readonly relocatable: Relocatable | undefined;
  /** Whether a mode for a framebuffer is asked for as a requirement. */
  readonly framebuffer: boolean;
}

/** §3.1.13: where a relocatable image may go. */
export interface Relocatable {
  readonly minAddr: number;
  /** Where the image must end at the latest. */
  readonly maxAddr: number;
  readonly align: number;
  readonly preference: number;
  /** File offset of the tag. */
  readonly offset: number;
}

const WORD = 4;
const EFI_TAGS: ReadonlySet<number> = new Set([
  HEADER_TAG_TYPE.EFI_BS,
  HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI32,
  HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI64,
]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(HEADER_TAG_TYPE));

function fault(offset: number, found: string, expected: string, meaning: string): BootFault {
  return { place: { kind: "file", offset }, found, expected, meaning };
}

/** What decides about some rules. */
export interface Circumstances {
  /** Required EFI tags count as optional. */
  ignoreEfi: boolean;
  /** The machine has a screen in text mode. */
  screen: boolean;
}

/** The rules. */
export function headerFault(header: Multiboot2Header, given: Circumstances): BootFault | undefined {
  const { architecture, offset, tags } = header;
  if (architecture !== MULTIBOOT2_ARCHITECTURE.I386) {
    return fault(
      offset + MULTIBOOT2_HEADER.OFFSET.ARCHITECTURE,
      `architecture ${architecture}${architecture === MULTIBOOT2_ARCHITECTURE.MIPS32 ? " (32-bit MIPS)" : ""}`,
      `${MULTIBOOT2_ARCHITECTURE.I386} (i386)`,
      "This machine has an x86 CPU, entered in 32-bit protected mode.",
    );
  }
  for (const tag of tags) {
    const found = tagFault(tag, given);
    if (found !== undefined) return found;
  }
  return undefined;
}

function tagFault(tag: Multiboot2Tag, { ignoreEfi, screen }: Circumstances): BootFault | undefined {
  const { type, optional, offset } = tag;
  // How an image may be moved must make sense even where a loader may ignore it: we do not.
  if (type === HEADER_TAG_TYPE.RELOCATABLE) return relocatableFault(tag);
  if (optional) return undefined;
  if (type === HEADER_TAG_TYPE.INFORMATION_REQUEST) return requestFault(tag);
  if (type === HEADER_TAG_TYPE.CONSOLE_FLAGS) return screen ? undefined : consoleFault(tag);
  if (EFI_TAGS.has(type) && !ignoreEfi) {
    return fault(
      offset,
      `a required tag "${headerTagName(type)}" (type ${type})`,
      "no EFI tag, or an optional one (flags bit 0)",
      "This machine starts kernels without EFI. The kernel may have an i386 entry as well: -o loader.efi=ignore uses it.",
    );
  }
  if (KNOWN.has(type)) return undefined;
  return fault(
    offset,
    `a required tag of type ${type}`,
    `types 0 to ${HEADER_TAG_TYPE.RELOCATABLE}, or flags bit 0 (optional)`,
    "No Multiboot2 version defines it, so a loader must not ignore it.",
  );
}

/** §3.1.4: what is not understood must be refused; what is understood but not there is left out. */
function requestFault({ words, bodyOffset }: Multiboot2Tag): BootFault | undefined {
  const index = words.findIndex((type) => type > INFO_TAG_TYPE_MAX);
  if (index < 0) return undefined;
  return fault(
    bodyOffset + index * WORD,
    `a required request for information of type ${words[index]}`,
    `types up to ${INFO_TAG_TYPE_MAX}`,
    "No Multiboot2 version defines it; the kernel can mark the request optional.",
  );
}

/** §3.1.9. */
function consoleFault({ words, bodyOffset }: Multiboot2Tag): BootFault | undefined {
  if ((words[0] & CONSOLE_FLAG.REQUIRED) === 0) return undefined;
  return fault(
    bodyOffset,
    `console_flags ${hex(words[0])}: a console is required`,
    "bit 0 clear, or the tag optional",
    "Multiboot knows consoles of a screen only, and there is none; the serial port does not count. --screen adds one.",
  );
}

function relocatableFault(tag: Multiboot2Tag): BootFault | undefined {
  const { minAddr, maxAddr, align, preference } = relocatableOf(tag);
  if (minAddr > maxAddr) {
    const found = `min_addr ${hex(minAddr)} above max_addr ${hex(maxAddr)}`;
    return fault(tag.bodyOffset, found, "min_addr below max_addr", "The image could go nowhere.");
  }
  if (!isPowerOfTwo(align)) {
    const found = `align ${hex(align)}`;
    return fault(
      tag.bodyOffset + 2 * WORD,
      found,
      "a power of two",
      "It is the alignment in memory, such as 4096.",
    );
  }
  if (preference <= LOAD_PREFERENCE.HIGH) return undefined;
  return fault(
    tag.bodyOffset + 3 * WORD,
    `preference ${preference}`,
    "0 (none), 1 (lowest) or 2 (highest)",
    "Nothing else is defined.",
  );
}

function relocatableOf({ words, offset }: Multiboot2Tag): Relocatable {
  const [minAddr, maxAddr, align, preference] = words;
  return { minAddr, maxAddr, align: align || 1, preference, offset };
}

/** What the loader acts on. The header has passed `headerFault`. */
export function requestOf({ tags }: Multiboot2Header): Multiboot2Request {
  const last = (type: number): Multiboot2Tag | undefined => tags.findLast((tag) => tag.type === type);
  const relocatable = last(HEADER_TAG_TYPE.RELOCATABLE);
  const framebuffer = last(HEADER_TAG_TYPE.FRAMEBUFFER);
  return {
    address: last(HEADER_TAG_TYPE.ADDRESS),
    entry: last(HEADER_TAG_TYPE.ENTRY_ADDRESS),
    relocatable: relocatable === undefined ? undefined : relocatableOf(relocatable),
    framebuffer: framebuffer !== undefined && !framebuffer.optional,
  };
}
