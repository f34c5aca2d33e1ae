/**
 * The Multiboot headers that any file may carry beside its own format, for readers: facts, and words for a summary.
 * Knows no loader.
 */
import { FormatError, type FormatFault } from "./format-error.js";
import type { Fact } from "./image.js";
import { multiboot1Facts } from "./multiboot1/facts.js";
import { findMultiboot1, lostMultiboot1, MULTIBOOT1 } from "./multiboot1/multiboot1.js";
import { multiboot2Facts } from "./multiboot2/facts.js";
import { findMultiboot2, lostMultiboot2, MULTIBOOT2 } from "./multiboot2/multiboot2.js";

/** A protocol: its name for people, and the facts of its header in a file. */
interface Protocol {
  name: string;
  /** Throws FormatError for a damaged header. */
  facts(bytes: Uint8Array): Fact[];
}

const PROTOCOLS: readonly Protocol[] = [
  {
    name: MULTIBOOT1,
    facts(bytes) {
      const header = findMultiboot1(bytes);
      return header === undefined ? [] : multiboot1Facts(header);
    },
  },
  {
    name: MULTIBOOT2,
    facts(bytes) {
      const header = findMultiboot2(bytes);
      return header === undefined ? [] : multiboot2Facts(header);
    },
  },
];

/** The facts of one protocol's header, or what is wrong with it. */
function read({ facts }: Protocol, bytes: Uint8Array): Fact[] | FormatError {
  try {
    return facts(bytes);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/** Every field of the headers there are; of a damaged one what is wrong, as `multiboot2.problem`. */
export function multibootFacts(bytes: Uint8Array): Fact[] {
  return PROTOCOLS.flatMap((protocol) => {
    const result = read(protocol, bytes);
    if (!(result instanceof FormatError)) return result;
    const { message, offset } = result;
    const name = `${protocol.name.toLowerCase()}.problem`;
    return [{ name, value: message, offset, meaning: "the header cannot be used" }];
  });
}

/** `Multiboot`, `Multiboot2`: the headers that are there and whole. */
export function multibootNames(bytes: Uint8Array): string[] {
  return PROTOCOLS.filter((protocol) => {
    const result = read(protocol, bytes);
    return !(result instanceof FormatError) && result.length > 0;
  }).map(({ name }) => name);
}

/** A sound header of either version too far behind the file's beginning to be found; undefined when there is none. */
export function lostMultiboot(bytes: Uint8Array): FormatFault | undefined {
  return lostMultiboot2(bytes) ?? lostMultiboot1(bytes);
}
