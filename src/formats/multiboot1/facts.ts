/** What `locore inspect` shows of a Multiboot header: every field with its offset. Only describes. */
import { hex } from "../../bytes/hex.js";
import { MULTIBOOT1_FLAG, MULTIBOOT1_HEADER, MULTIBOOT1_REQUIREMENTS } from "../../spec/multiboot1.js";
import type { Fact } from "../image.js";
import type { Multiboot1Header } from "./multiboot1.js";

const AT = MULTIBOOT1_HEADER.OFFSET;
const FLAG_TEXT: readonly (readonly [number, string])[] = [
  [MULTIBOOT1_FLAG.PAGE_ALIGN, "modules on pages"],
  [MULTIBOOT1_FLAG.MEMORY_INFO, "memory information"],
  [MULTIBOOT1_FLAG.VIDEO_MODE, "video mode"],
  [MULTIBOOT1_FLAG.ADDRESSES, "load addresses in the header"],
];

function flagsText(flags: number): string {
  const known = FLAG_TEXT.reduce((mask, [bit]) => mask | bit, 0);
  const names = FLAG_TEXT.filter(([bit]) => (flags & bit) !== 0).map(([, text]) => text);
  if ((flags & ~known & MULTIBOOT1_REQUIREMENTS) !== 0) names.push("requirements that are not defined");
  return names.length > 0 ? names.join(", ") : "nothing asked for";
}

/** The header's fields. */
export function multiboot1Facts(header: Multiboot1Header): Fact[] {
  const { offset, flags, checksum, addresses, graphics } = header;
  const field = (name: string, at: number, value: number, meaning?: string): Fact => ({
    name: `multiboot.${name}`,
    value: hex(value),
    offset: offset + at,
    ...(meaning === undefined ? {} : { meaning }),
  });
  const facts = [
    field("magic", AT.MAGIC, MULTIBOOT1_HEADER.MAGIC, "Multiboot header"),
    field("flags", AT.FLAGS, flags, flagsText(flags)),
    field("checksum", AT.CHECKSUM, checksum),
  ];
  if (addresses !== undefined) {
    facts.push(
      field("header_addr", AT.HEADER_ADDR, addresses.headerAddr),
      field("load_addr", AT.LOAD_ADDR, addresses.loadAddr),
      field("load_end_addr", AT.LOAD_END_ADDR, addresses.loadEndAddr, "0 is the end of the file"),
      field("bss_end_addr", AT.BSS_END_ADDR, addresses.bssEndAddr, "0 is no bss"),
      field("entry_addr", AT.ENTRY_ADDR, addresses.entryAddr, "entry point"),
    );
  }
  if (graphics !== undefined) {
    facts.push(
      field("mode_type", AT.MODE_TYPE, graphics.modeType, "0 linear graphics, 1 EGA text"),
      field("width", AT.WIDTH, graphics.width),
      field("height", AT.HEIGHT, graphics.height),
      field("depth", AT.DEPTH, graphics.depth),
    );
  }
  return facts;
}
