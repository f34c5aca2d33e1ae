/**
 * A file without a format of its own that says by a Multiboot header where it goes in memory: an a.out kernel, a raw
 * binary. Knows no loader.
 *
 * Specification: Multiboot 0.6.96 §3.1.3 (flag 16); Multiboot2 2.0 §3.1.5 (address tag).
 */
import { HEADER_TAG_TYPE } from "../../spec/multiboot2.js";
import { once, type ImageBase } from "../image.js";
import { multibootFacts, multibootNames } from "../multiboot-facts.js";
import { findMultiboot1 } from "../multiboot1/multiboot1.js";
import { findMultiboot2 } from "../multiboot2/multiboot2.js";

export interface FlatImage extends ImageBase {
  readonly format: "flat";
}

/** Whether a Multiboot header says where the file goes. */
function saysWhere(bytes: Uint8Array): boolean {
  if (findMultiboot1(bytes)?.addresses !== undefined) return true;
  return findMultiboot2(bytes)?.tags.some(({ type }) => type === HEADER_TAG_TYPE.ADDRESS) ?? false;
}

/** Reads such a file; undefined when it is none. Throws FormatError for a header that is damaged: nothing else names the file. */
export function readFlat(bytes: Uint8Array): FlatImage | undefined {
  if (!saysWhere(bytes)) return undefined;
  const facts = once(() => [{ name: "format", value: "flat" }, ...multibootFacts(bytes)]);
  return {
    format: "flat",
    bytes,
    arch: "i386",
    summary: `flat binary, ${multibootNames(bytes).join(", ")}`,
    get facts() {
      return facts();
    },
  };
}
