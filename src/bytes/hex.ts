/**
 * How numbers are shown to people: one spelling of hexadecimal and of byte dumps everywhere. Knows no format.
 */

/**
 * `0x1f1` for a number or bigint, padded to `digits` with zeros. Values that are not integers (NaN, fractions)
 * are shown as they are: this is used in error messages and must never itself fail.
 */
export function hex(value: number | bigint, digits = 1): string {
  if (typeof value === "number" && !Number.isInteger(value)) return String(value);
  const magnitude = value < 0 ? -value : value;
  return `${value < 0 ? "-" : ""}0x${magnitude.toString(16).padStart(digits, "0")}`;
}

/** `7f 45 4c 46`: the bytes as pairs of digits, at most `limit` of them, with an ellipsis when more follow. */
export function hexBytes(bytes: Uint8Array, limit = 16): string {
  const shown = Array.from(bytes.subarray(0, limit), (byte) => byte.toString(16).padStart(2, "0"));
  if (bytes.length > limit) shown.push("…");
  return shown.join(" ");
}

/** The bytes as text where they are printable ASCII, a dot elsewhere: the right-hand column of a dump. */
export function printable(bytes: Uint8Array, limit = 16): string {
  return Array.from(bytes.subarray(0, limit), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".",
  ).join("");
}
