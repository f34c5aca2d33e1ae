/**
 * Builds small ar and tar archives for tests, byte by byte from the formats' descriptions, independently of the
 * readers under test.
 */
import { gzipSync } from "node:zlib";

const TAR_BLOCK = 512;
const utf8 = new TextEncoder();

/** One tar entry; `type` is the type flag. */
export interface TarSource {
  name: string;
  text?: string;
  /** Instead of `text`. */
  bytes?: Uint8Array;
  type?: string;
  mode?: number;
  user?: number;
  group?: number;
  linkName?: string;
  prefix?: string;
}

/** Joins byte arrays. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0") + "\0";
}

/** The 512-byte ustar header of an entry with `size` bytes of data. */
export function tarHeader(entry: TarSource, size: number): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK);
  const put = (offset: number, text: string): void => block.set(utf8.encode(text), offset);
  put(0, entry.name);
  put(100, octal(entry.mode ?? 0o644, 7));
  put(108, octal(entry.user ?? 0, 7));
  put(116, octal(entry.group ?? 0, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  put(148, "        ");
  put(156, entry.type ?? "0");
  put(157, entry.linkName ?? "");
  put(257, "ustar\x0000");
  put(345, entry.prefix ?? "");
  put(
    148,
    octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    ) + " ",
  );
  return block;
}

/** A tar archive with its end marker. */
export function tarOf(entries: readonly TarSource[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    const data = entry.bytes ?? utf8.encode(entry.text ?? "");
    const padding = new Uint8Array((TAR_BLOCK - (data.length % TAR_BLOCK)) % TAR_BLOCK);
    return [tarHeader(entry, data.length), data, padding];
  });
  return concat([...parts, new Uint8Array(2 * TAR_BLOCK)]);
}

/** An ar archive. */
export function arOf(members: readonly { name: string; bytes: Uint8Array }[]): Uint8Array {
  const parts = members.flatMap(({ name, bytes }) => [
    utf8.encode(
      `${name.padEnd(16)}${"0".padEnd(12)}0     0     100644  ${String(bytes.length).padEnd(10)}\`\n`,
    ),
    bytes,
    utf8.encode(bytes.length % 2 === 1 ? "\n" : ""),
  ]);
  return concat([utf8.encode("!<arch>\n"), ...parts]);
}

/** A Debian package with these files; its data member is as it is, or made small by gzip. */
export function debOf(files: readonly TarSource[], { squeezed = false } = {}): Uint8Array {
  const data = tarOf(files);
  return arOf([
    { name: "debian-binary", bytes: utf8.encode("2.0\n") },
    { name: "control.tar", bytes: tarOf([]) },
    squeezed ? { name: "data.tar.gz", bytes: gzipSync(data) } : { name: "data.tar", bytes: data },
  ]);
}
