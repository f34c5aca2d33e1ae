/** What `locore inspect` shows of a Multiboot2 header: magic fields, then every tag. Only describes. */
import { hex } from "../../bytes/hex.js";
import { HEADER_TAG_TYPE, INFO_TAG_TYPE, MULTIBOOT2_HEADER } from "../../spec/multiboot2.js";
import type { Fact } from "../image.js";
import type { Multiboot2Header, Multiboot2Tag } from "./multiboot2.js";

const AT = MULTIBOOT2_HEADER.OFFSET;
/** How many tags, and numbers of one tag, are shown. */
const LISTED = 64;

/** Names of a tag's words, by type. */
const WORDS: Readonly<Record<number, readonly string[]>> = {
  [HEADER_TAG_TYPE.ADDRESS]: ["header_addr", "load_addr", "load_end_addr", "bss_end_addr"],
  [HEADER_TAG_TYPE.ENTRY_ADDRESS]: ["entry_addr"],
  [HEADER_TAG_TYPE.CONSOLE_FLAGS]: ["console_flags"],
  [HEADER_TAG_TYPE.FRAMEBUFFER]: ["width", "height", "depth"],
  [HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI32]: ["entry_addr"],
  [HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI64]: ["entry_addr"],
  [HEADER_TAG_TYPE.RELOCATABLE]: ["min_addr", "max_addr", "align", "preference"],
};

function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.entries(table).find(([, number]) => number === value)?.[0];
  return name === undefined ? `type ${value}` : name.toLowerCase().replaceAll("_", " ");
}

/** A header tag's name for people: "information request". */
export function headerTagName(type: number): string {
  return nameOf(HEADER_TAG_TYPE, type);
}

function tagFact(tag: Multiboot2Tag, index: number): Fact {
  const names = WORDS[tag.type] ?? [];
  const words = tag.words.slice(0, LISTED);
  const asked = tag.type === HEADER_TAG_TYPE.INFORMATION_REQUEST;
  const values = asked
    ? [words.map((word) => nameOf(INFO_TAG_TYPE, word)).join(", ")]
    : names.map((name, i) => `${name} ${hex(words[i])}`);
  return {
    name: `multiboot2.tag[${index}]`,
    value: [headerTagName(tag.type), ...values],
    offset: tag.offset,
    meaning: tag.optional ? "optional" : "required",
  };
}

/** The header's fields and tags. */
export function multiboot2Facts(header: Multiboot2Header): Fact[] {
  const { offset, architecture, length, checksum, tags } = header;
  const field = (name: string, at: number, value: string | number, meaning?: string): Fact => ({
    name: `multiboot2.${name}`,
    value,
    offset: offset + at,
    ...(meaning === undefined ? {} : { meaning }),
  });
  return [
    field("magic", AT.MAGIC, hex(MULTIBOOT2_HEADER.MAGIC), "Multiboot2 header"),
    field("architecture", AT.ARCHITECTURE, architecture, "0 i386, 4 MIPS"),
    field("header_length", AT.HEADER_LENGTH, length),
    field("checksum", AT.CHECKSUM, hex(checksum)),
    ...tags.slice(0, LISTED).map(tagFact),
  ];
}
