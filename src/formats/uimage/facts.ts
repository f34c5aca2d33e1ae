/**
 * What `locore inspect` shows of a uImage. Only describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import { ByteView } from "../../bytes/byte-view.js";
import { IH_ARCH, IH_COMP, IH_OS, IH_TYPE, UIMAGE } from "../../spec/uimage.js";
import type { Fact } from "../image.js";
import { problemFacts } from "../problem.js";
import { ihName, type UImage } from "./uimage.js";

const MS = 1000;
const WORD_DIGITS = 8;

/** All facts of the image. */
export function uImageFacts(image: Omit<UImage, "facts" | "summary">): Fact[] {
  const view = new ByteView(image.bytes);
  const sum = (offset: number): string => hex(view.u32be(offset), WORD_DIGITS);
  const facts: Fact[] = [
    { name: "format", value: "U-Boot uImage", offset: UIMAGE.MAGIC },
    { name: "ih_hcrc", value: sum(UIMAGE.HCRC), offset: UIMAGE.HCRC, meaning: "checksum of the header" },
    {
      name: "ih_time",
      value: new Date(image.time * MS).toISOString(),
      offset: UIMAGE.TIME,
      meaning: "when it was made",
    },
    { name: "ih_size", value: image.dataSize, offset: UIMAGE.SIZE_FIELD, meaning: "bytes of data" },
    { name: "ih_load", value: hex(image.load), offset: UIMAGE.LOAD, meaning: "where the data goes" },
    { name: "ih_ep", value: hex(image.entry), offset: UIMAGE.EP, meaning: "entry point" },
    { name: "ih_dcrc", value: sum(UIMAGE.DCRC), offset: UIMAGE.DCRC, meaning: "checksum of the data" },
    { name: "ih_os", value: ihName(IH_OS, image.os), offset: UIMAGE.OS },
    { name: "ih_arch", value: ihName(IH_ARCH, image.ihArch), offset: UIMAGE.ARCH },
    { name: "ih_type", value: ihName(IH_TYPE, image.type), offset: UIMAGE.TYPE },
    { name: "ih_comp", value: ihName(IH_COMP, image.compression), offset: UIMAGE.COMP },
    { name: "ih_name", value: image.name, offset: UIMAGE.NAME },
  ];
  if (image.content !== undefined) {
    facts.push({ name: "content", value: image.content, offset: UIMAGE.SIZE, meaning: "what is in it" });
  }
  return [...facts, ...problemFacts(image.problems)];
}
