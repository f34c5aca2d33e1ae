/**
 * What `locore inspect` shows of an arm64 Image. Only describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import { ARM64_IMAGE } from "../../spec/arm-boot.js";
import type { Fact } from "../image.js";
import { problemFacts } from "../problem.js";
import type { Arm64Image } from "./arm64-image.js";

const WORD_DIGITS = 8;
/** booting.rst §4: what a loader brings about before it enters at the first byte. */
const ENTRY_STATE =
  "x0 = device tree, x1 = x2 = x3 = 0; EL2 or EL1 non-secure, MMU off, data cache off or clean over the image, interrupts masked";

function sizeMeaning(imageSize: bigint): string {
  return imageSize === 0n
    ? "before Linux 3.17: text_offset is not to be believed, 0x80000 is meant"
    : "memory needed from the first byte on, bss included";
}

function flagNames(image: Pick<Arm64Image, "bigEndian" | "pageSize" | "anywhere">): string[] {
  return [
    image.bigEndian ? "big-endian" : "little-endian",
    image.pageSize === undefined ? "page size unspecified" : `${image.pageSize} KiB pages`,
    image.anywhere ? "2 MiB boundary anywhere in memory" : "2 MiB boundary near the start of memory",
  ];
}

/** All facts of the image. */
export function arm64ImageFacts(image: Omit<Arm64Image, "facts" | "summary">): Fact[] {
  const { TEXT_OFFSET, IMAGE_SIZE, FLAGS, CODE0, CODE1, MAGIC, PE_OFFSET } = ARM64_IMAGE;
  const facts: Fact[] = [
    { name: "format", value: "arm64 Image", offset: MAGIC },
    { name: "arch", value: image.arch },
    { name: "code0", value: hex(image.code0, WORD_DIGITS), offset: CODE0, meaning: "first instruction" },
    { name: "code1", value: hex(image.code1, WORD_DIGITS), offset: CODE1, meaning: "second instruction" },
    {
      name: "text_offset",
      value: hex(image.textOffset),
      offset: TEXT_OFFSET,
      meaning: "where it goes, from a 2 MiB boundary",
    },
    {
      name: "image_size",
      value: hex(image.imageSize),
      offset: IMAGE_SIZE,
      meaning: sizeMeaning(image.imageSize),
    },
    { name: "flags", value: hex(image.flags), offset: FLAGS },
    { name: "flags.bits", value: flagNames(image), meaning: "flags decoded" },
  ];
  if (image.peOffset !== undefined) {
    const value = hex(image.peOffset);
    facts.push({ name: "pe.offset", value, offset: PE_OFFSET, meaning: "PE header: an EFI program too" });
  }
  return [
    ...facts,
    { name: "entry.state", value: ENTRY_STATE, meaning: "entered at its first byte" },
    ...problemFacts(image.problems),
  ];
}
