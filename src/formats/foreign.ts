/**
 * A file that no reader takes, for loaders that read formats of their own (R1.1). Keeps why it was refused, for when
 * none of them takes it either. Knows no loader.
 */
import type { FormatError } from "./format-error.js";
import type { ImageBase } from "./image.js";

export interface ForeignImage extends ImageBase {
  readonly format: "foreign";
  /** What the file is, where that is known, and what to do. */
  readonly refusal: FormatError;
}

/** The image of a file that was refused with `refusal`. */
export function foreignImage(bytes: Uint8Array, refusal: FormatError): ForeignImage {
  return { format: "foreign", bytes, arch: "unknown", summary: refusal.found, facts: [], refusal };
}
