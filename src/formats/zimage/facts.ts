/**
 * What `locore inspect` shows of a zImage. Only describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import { ZIMAGE, ZIMAGE_ENDIAN, ZIMAGE_KRNL_SIZE } from "../../spec/arm-boot.js";
import type { Fact } from "../image.js";
import { problemFacts } from "../problem.js";
import type { ZImagePayload } from "./payload.js";
import type { KernelSize, ZImageTable } from "./table.js";
import type { ZImage } from "./zimage.js";

const WORD = 4;
const WORD_DIGITS = 8;
/** booting.rst: what a loader brings about before it enters at the first byte. */
const ENTRY_STATE =
  "r0 = 0, r1 = machine number or ~0, r2 = device tree; ARM state, SVC or HYP mode, MMU and data cache off, interrupts off; in the first 128 MiB of memory";

function endianText(magic: number): string {
  if (magic === ZIMAGE_ENDIAN.LITTLE) return "little-endian";
  return magic === ZIMAGE_ENDIAN.BIG ? "big-endian" : "not set: no zImage of Linux 3.7 or later";
}

function payloadFacts(payload: ZImagePayload | undefined): Fact[] {
  if (payload === undefined) return [];
  return [
    {
      name: "payload.codec",
      value: payload.codecName,
      offset: payload.offset,
      meaning: "found by its magic number",
    },
    { name: "payload.size", value: payload.bytes.length, meaning: "packed size, bytes, at most" },
  ];
}

function sizeFacts(size: KernelSize): Fact[] {
  const at = (index: number): number => size.offset + index * WORD;
  const facts: Fact[] = [
    {
      name: "table.size_offset",
      value: hex(size.sizeOffset),
      offset: at(ZIMAGE_KRNL_SIZE.SIZE_OFFSET),
      meaning: "where the unpacked size stands: the end of the payload",
    },
  ];
  if (size.unpackedSize !== undefined) {
    facts.push({ name: "payload.claimed_size", value: size.unpackedSize, offset: size.sizeOffset });
  }
  facts.push({ name: "table.bss_size", value: size.bssSize, offset: at(ZIMAGE_KRNL_SIZE.BSS_SIZE) });
  if (size.textOffset !== undefined) {
    facts.push({
      name: "table.TEXT_OFFSET",
      value: hex(size.textOffset),
      offset: at(ZIMAGE_KRNL_SIZE.TEXT_OFFSET),
      meaning: "where the kernel unpacks itself to, from the start of memory",
    });
  }
  if (size.mallocSize !== undefined) {
    const offset = at(ZIMAGE_KRNL_SIZE.MALLOC_SIZE);
    facts.push({ name: "table.malloc_size", value: size.mallocSize, offset });
  }
  return facts;
}

function tableFacts(table: ZImageTable | undefined): Fact[] {
  if (table === undefined) return [];
  const { offset, others, kernelSize } = table;
  return [
    { name: "table", value: hex(offset), offset: ZIMAGE.TABLE, meaning: "extension table, for kexec" },
    ...(kernelSize === undefined ? [] : sizeFacts(kernelSize)),
    ...others.map(({ offset: at, tag }) => ({ name: "table.tag", value: hex(tag), offset: at })),
  ];
}

/** All facts of the image. */
export function zImageFacts(image: Omit<ZImage, "facts" | "summary">): Fact[] {
  const { start, end, endianMagic } = image;
  const facts: Fact[] = [
    { name: "format", value: "ARM zImage", offset: ZIMAGE.MAGIC },
    { name: "arch", value: image.arch },
    {
      name: "start",
      value: hex(start, WORD_DIGITS),
      offset: ZIMAGE.START,
      meaning: start === 0 ? "runs anywhere" : "the address it must be loaded at",
    },
    {
      name: "end",
      value: hex(end, WORD_DIGITS),
      offset: ZIMAGE.END,
      meaning: "end of the image, as start counts",
    },
    {
      name: "image.size",
      value: end - start,
      meaning: `end - start, of ${image.bytes.length} bytes of file`,
    },
  ];
  if (endianMagic !== undefined) {
    const value = hex(endianMagic, WORD_DIGITS);
    facts.push({ name: "endian", value, offset: ZIMAGE.ENDIAN_MAGIC, meaning: endianText(endianMagic) });
  }
  return [
    ...facts,
    ...tableFacts(image.table),
    ...payloadFacts(image.payload),
    { name: "entry.state", value: ENTRY_STATE, meaning: "entered at its first byte" },
    ...problemFacts(image.problems),
  ];
}
