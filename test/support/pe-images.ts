/** Small PE files for tests: EFI programs, unified kernel images. Builds bytes only. */
import { ByteView } from "../../src/bytes/byte-view.js";
import { alignUp } from "../../src/bytes/align.js";

/** A section: its name, and what is in it. */
export type PeSectionParts = readonly [name: string, bytes: Uint8Array];

const PE_AT = 0x80;
const OPTIONAL_SIZE = 240;
const TABLE = PE_AT + 24 + OPTIONAL_SIZE;
const ROW = 40;
const FILE_ALIGNMENT = 0x200;

/** A PE32+ file for x86-64, an EFI application, with these sections. */
export function makePe(sections: readonly PeSectionParts[]): Uint8Array {
  let end = alignUp(TABLE + sections.length * ROW, FILE_ALIGNMENT);
  const places = sections.map(([, bytes]) => {
    const at = end;
    end = alignUp(end + bytes.length, FILE_ALIGNMENT);
    return at;
  });
  const view = new ByteView(new Uint8Array(end));
  view.setLatin1(0, "MZ");
  view.setU32(0x3c, PE_AT);
  view.setLatin1(PE_AT, "PE");
  view.setU16(PE_AT + 4, 0x8664);
  view.setU16(PE_AT + 6, sections.length);
  view.setU16(PE_AT + 20, OPTIONAL_SIZE);
  view.setU16(PE_AT + 24, 0x20b);
  view.setU32(PE_AT + 24 + 16, 0x1000);
  view.setU16(PE_AT + 24 + 68, 10);
  sections.forEach(([name, bytes], i) => {
    const at = TABLE + i * ROW;
    view.setLatin1(at, name);
    view.setU32(at + 8, bytes.length);
    view.setU32(at + 12, 0x1000 * (i + 1));
    view.setU32(at + 16, alignUp(bytes.length, FILE_ALIGNMENT));
    view.setU32(at + 20, places[i]);
    view.setBytes(places[i], bytes);
  });
  return view.bytes;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A unified kernel image: stub, system, line, initrd, kernel. */
export function makeUki(
  kernel: Uint8Array,
  more: { initrd?: Uint8Array; ucode?: Uint8Array; line?: string } = {},
): Uint8Array {
  return makePe([
    [".text", new Uint8Array(64).fill(0xf4)],
    [".osrel", text('ID=test\nPRETTY_NAME="Test OS 1"\n')],
    [".uname", text("6.1.0-test")],
    ...(more.line === undefined ? [] : [[".cmdline", text(`${more.line}\0`)] as const]),
    ...(more.ucode === undefined ? [] : [[".ucode", more.ucode] as const]),
    ...(more.initrd === undefined ? [] : [[".initrd", more.initrd] as const]),
    [".linux", kernel],
  ]);
}

/** A newc archive of files with these names, each of one byte. */
export function makeCpio(...names: readonly string[]): Uint8Array {
  const hex = (value: number): string => value.toString(16).padStart(8, "0");
  const file = (name: string, data: string): string => {
    const fields = [1, 0o100644, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map(hex).join("")}${name}\0`;
    const padded = head.padEnd(alignUp(head.length, 4), "\0");
    return (padded + data).padEnd(alignUp(padded.length + data.length, 4), "\0");
  };
  return text([...names.map((name) => file(name, "x")), file("TRAILER!!!", "")].join(""));
}
