/** Names and identifiers as disks spell them. */
import type { ByteView } from "../bytes/byte-view.js";

const UTF8 = new TextDecoder();
const UTF16 = new TextDecoder("utf-16le");
const UUID_SIZE = 16;

/** `size` bytes as UTF-8 up to the first NUL; what is no UTF-8 becomes U+FFFD. */
export function utf8Text(view: ByteView, offset: number, size: number): string {
  const bytes = view.slice(offset, size);
  const nul = bytes.indexOf(0);
  return UTF8.decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}

/** `size` bytes as UTF-16LE up to the first NUL. */
export function utf16Text(view: ByteView, offset: number, size: number): string {
  const text = UTF16.decode(view.slice(offset, size));
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

/** Digits of bytes, without anything between. */
export function hexDigits(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function dashed(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A UUID as RFC 9562 stores it. */
export function uuidText(view: ByteView, offset: number): string {
  return dashed(hexDigits(view.slice(offset, UUID_SIZE)));
}

/** A GUID as EFI stores it: the first three fields little-endian. */
export function guidText(view: ByteView, offset: number): string {
  const b = view.slice(offset, UUID_SIZE);
  const mixed = [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], ...b.subarray(8)];
  return dashed(hexDigits(mixed));
}

/** Whether a UUID is none. */
export function isNil(uuid: string): boolean {
  return /^[0-]*$/.test(uuid);
}
