/** What `locore inspect --json` writes of a file that is no disk and no snapshot. `docs/schemas/inspect.schema.json` is its schema. */
import type { FormatError } from "../../formats/format-error.js";
import type { KnownImage } from "../../formats/index.js";
import type { NamedFile } from "../../formats/named-file.js";
import type { Trap, Verdict } from "../../verdicts/index.js";
import { answerOf } from "./answer.js";

type Json = Record<string, unknown>;

/** Where it boots; nothing when no loader was asked. */
export function verdictsJson(where: readonly Verdict[], behind: readonly Trap[]): Json {
  return where.length > 0 ? { answer: answerOf(where), verdicts: where, traps: behind } : {};
}

/** What a kernel is. */
export function imageJson({ format, arch, packedBy, summary, facts }: KnownImage): Json {
  return { format, arch, packedBy, summary, facts };
}

/** What a file with a name of its own is: a unified kernel image, a PE program, an archive. */
export function namedJson({ format, summary, facts }: NamedFile): Json {
  return { format, summary, facts };
}

/** Why no reader takes a file. */
export function faultJson({ format, offset, found, expected, meaning }: FormatError): Json {
  return { fault: { format, offset, found, expected, meaning } };
}
