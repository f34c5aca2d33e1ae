/**
 * Reads the `ar` archive that a Debian package is. Knows nothing of what the members hold.
 *
 * Format: ar(5), common variant; deb(5) uses plain names of at most 16 characters, so neither BSD's nor GNU's long
 * names are needed.
 *
 * ```
 *  0       16     28    34    40     48       58   60
 * ┌───────┬──────┬─────┬─────┬──────┬────────┬────┬──────────────────┐
 * │ name  │ date │ uid │ gid │ mode │  size  │ `\n│ data, padded to 2 │   decimal text, blank-padded
 * └───────┴──────┴─────┴─────┴──────┴────────┴────┴──────────────────┘
 * ```
 */
import { GuestError } from "../errors.js";

const AR_MAGIC = "!<arch>\n";
const AR_HEADER_SIZE = 60;
const AR_NAME = { offset: 0, size: 16 };
const AR_SIZE = { offset: 48, size: 10 };
const AR_END = { offset: 58, text: "`\n" };
const AR_ALIGNMENT = 2;

/** One member: its name and a view of its bytes. */
export interface ArMember {
  name: string;
  bytes: Uint8Array;
}

const ascii = new TextDecoder("latin1");

function text(bytes: Uint8Array, offset: number, size: number): string {
  return ascii.decode(bytes.subarray(offset, offset + size));
}

/** The members in file order. Throws GuestError with the offset of the header that is wrong. */
export function* readAr(bytes: Uint8Array): Generator<ArMember> {
  const magic = text(bytes, 0, AR_MAGIC.length);
  if (magic !== AR_MAGIC) {
    throw new GuestError(
      "damaged",
      `ar archive: found ${JSON.stringify(magic)} at offset 0, expected "!<arch>"`,
    );
  }
  let offset = AR_MAGIC.length;
  while (offset < bytes.length) {
    const field = text(bytes, offset + AR_SIZE.offset, AR_SIZE.size).trimEnd();
    const end = text(bytes, offset + AR_END.offset, AR_END.text.length);
    if (end !== AR_END.text || !/^\d+$/.test(field)) {
      throw new GuestError(
        "damaged",
        `ar archive: no member header at offset ${offset}; the file may be cut short`,
      );
    }
    const start = offset + AR_HEADER_SIZE;
    const size = Number(field);
    if (size > bytes.length - start) {
      const left = bytes.length - start;
      throw new GuestError(
        "damaged",
        `ar archive: the member at offset ${offset} claims ${size} bytes of ${left}`,
      );
    }
    const name = text(bytes, offset + AR_NAME.offset, AR_NAME.size)
      .trimEnd()
      .replace(/\/$/, "");
    yield { name, bytes: bytes.subarray(start, start + size) };
    offset = start + size + (size % AR_ALIGNMENT);
  }
}
