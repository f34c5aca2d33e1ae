/**
 * The conformance guest of the 16-bit boot protocol: a bzImage whose set-up code reports over COM1 what it finds at its
 * entry, in its header, in memory and from the BIOS, and ends by the debug-exit port. Records are a letter, a length and
 * bytes, between "@@" and "##", so that what firmware prints is told apart.
 */
import { ByteView } from "../../src/bytes/byte-view.js";
import { SETUP_OFFSET } from "../../src/spec/linux-boot.js";
import * as o from "./asm/index.js";
import { makeBzImage, type BzImageParts } from "./images.js";

const { Assembler, byte, dword, word } = o;
/** Where `makeBzImage` puts set-up code; the jump over the header leads there. */
const CODE = 0x270;
const JUMP_OVER_HEADER = 0xeb | ((CODE - 0x202) << 8);
const COM1 = 0x3f8;
const DEBUG_EXIT = 0xf4;
/** Memory in the set-up segment that nothing else uses. */
const BUFFER = 0x4000;
const DESCRIPTORS = 0x4100;
/** "SMAP", what E820 wants and gives back. */
const SMAP = 0x534d4150;
/** Bytes of the header that are reported. */
const HEADER = { start: 0x1f1, size: 0x77 };
const COMMAND_LINE_LENGTH = 64;
const PEEKED = 16;
/** What the debug exit is written with. */
export const EXIT_VALUE = 0x15;
/** First bytes of the protected-mode code, which the guest reads back through INT 15h. */
export const KERNEL_TEXT = "locore kernel 16";

/** Sends a byte of text, waiting for nothing: the UART is always ready. */
function text(a: InstanceType<typeof Assembler>, characters: string): void {
  a.mov(o.dx, COM1);
  for (const character of characters) a.mov(o.al, character.charCodeAt(0)).out(8, "dx");
}

/** Sends `size` bytes from DS:SI as one record. */
function record(a: InstanceType<typeof Assembler>, letter: string, size: number): void {
  text(a, letter);
  a.mov(o.al, size).out(8, "dx");
  a.mov(o.cx, size);
  a.call("dump");
}

function guestCode(protocol: number): Uint8Array {
  const a = new Assembler(CODE, 16);
  // Before anything else: flags, segments and SP, on the stack that the protocol promises.
  a.pushf();
  for (const segment of [o.cs, o.ds, o.es, o.ss, o.fs, o.gs]) a.pushSegment(segment);
  a.mov(o.bp, o.sp);
  text(a, "@@");
  a.mov(o.si, o.bp);
  record(a, "R", 14);
  a.mov(word(BUFFER), o.bp).mov(o.si, BUFFER);
  record(a, "S", 2);
  a.mov(o.si, HEADER.start);
  record(a, "H", HEADER.size);
  commandLine(a, protocol);
  biosCalls(a);
  extendedMemory(a);
  text(a, "##");
  a.mov(o.dx, DEBUG_EXIT).mov(o.al, EXIT_VALUE).out(8, "dx");
  a.label("stop").hlt().jmpShort("stop");
  a.label("dump").mov(o.dx, COM1);
  a.label("next").mov(o.al, byte(o.si)).out(8, "dx").inc(o.si).loop("next").ret();
  return a.link()[0].bytes;
}

/** Through cmd_line_ptr, or for protocols before 2.02 through the offset in the boot sector. */
function commandLine(a: InstanceType<typeof Assembler>, protocol: number): void {
  a.pushSegment(o.ds);
  if (protocol >= 0x202) {
    a.mov(o.eax, dword(SETUP_OFFSET.cmd_line_ptr)).mov(o.si, o.ax).and(o.si, 15);
    a.shr(o.eax, 4).movToSegment(o.ds, o.ax);
  } else {
    a.mov(o.si, word(0x22));
  }
  record(a, "C", COMMAND_LINE_LENGTH);
  a.popSegment(o.ds);
}

/** INT 12h, 10h, 16h, 1Ah, 13h, 15h AX=E820h: what set-up code uses. */
function biosCalls(a: InstanceType<typeof Assembler>): void {
  a.int(0x12).mov(word(BUFFER), o.ax);
  a.mov(o.ax, 0x0f00)
    .int(0x10)
    .mov(word(BUFFER + 2), o.ax);
  a.mov(o.ax, 0x0100)
    .int(0x16)
    .pushf()
    .pop(o.ax)
    .mov(word(BUFFER + 4), o.ax);
  a.mov(o.ax, 0x0800).mov(o.dx, 0x80).pushSegment(o.es).int(0x13).popSegment(o.es);
  a.pushf()
    .pop(o.ax)
    .mov(word(BUFFER + 6), o.ax);
  a.mov(o.ax, 0xe801)
    .int(0x15)
    .mov(word(BUFFER + 8), o.ax)
    .mov(word(BUFFER + 10), o.bx);
  a.mov(o.si, BUFFER);
  record(a, "B", 12);
  a.xor(o.ebx, o.ebx);
  a.label("entry").mov(o.eax, 0xe820).mov(o.edx, SMAP).mov(o.ecx, 20).mov(o.di, BUFFER).int(0x15);
  a.jcc("b", "mapped").cmp(o.eax, SMAP).jcc("ne", "mapped");
  a.push(o.ebx).mov(o.si, BUFFER);
  record(a, "E", 20);
  a.pop(o.ebx).test(o.ebx, o.ebx).jcc("ne", "entry");
  a.label("mapped");
}

/** INT 15h AH=87h moves the kernel's first bytes down: the kernel is where code32_start says. */
function extendedMemory(a: InstanceType<typeof Assembler>): void {
  a.mov(o.di, DESCRIPTORS).mov(o.cx, 24).xor(o.ax, o.ax);
  a.label("clear").mov(word(o.di), o.ax).add(o.di, 2).loop("clear");
  const source = DESCRIPTORS + 0x10;
  const target = DESCRIPTORS + 0x18;
  for (const at of [source, target]) a.mov(word(at), 0xffff).mov(byte(at + 5), 0x93);
  a.mov(o.eax, dword(SETUP_OFFSET.code32_start))
    .mov(dword(source + 2), o.eax)
    .mov(byte(source + 5), 0x93);
  a.shr(o.eax, 24).mov(byte(source + 7), o.al);
  a.xor(o.eax, o.eax).movFromSegment(o.ax, o.ds).shl(o.eax, 4).add(o.eax, BUFFER);
  a.mov(dword(target + 2), o.eax).mov(byte(target + 5), 0x93);
  a.mov(o.si, DESCRIPTORS)
    .mov(o.cx, PEEKED / 2)
    .mov(o.ax, 0x8700)
    .int(0x15);
  a.mov(o.si, BUFFER);
  record(a, "K", PEEKED);
}

/** The guest as a bzImage of the given protocol. */
export function realModeGuest(parts: Pick<BzImageParts, "protocol" | "fields"> = {}): Uint8Array {
  const protocol = parts.protocol ?? 0x020f;
  const code = new Uint8Array(1024).fill(0xf4);
  code.set(new TextEncoder().encode(KERNEL_TEXT));
  return makeBzImage({
    ...parts,
    setupCode: guestCode(protocol),
    setupSects: 4,
    code,
    fields: { jump: JUMP_OVER_HEADER, ...parts.fields },
  });
}

/** What the guest reported. */
export interface GuestReport {
  /** GS, FS, SS, ES, DS, CS, flags at entry. */
  registers: Record<"gs" | "fs" | "ss" | "es" | "ds" | "cs" | "flags" | "sp", number>;
  /** The set-up header, offsets as in the file. */
  header: ByteView;
  commandLine: string;
  bios: { baseKib: number; videoMode: number; columns: number; keyWaits: boolean; diskError: boolean };
  e820: { start: number; size: number; type: number }[];
  kernel: string;
}

/** Reads the records. Throws when the guest did not report. */
export function parseReport(output: Uint8Array): GuestReport {
  const latin1 = Buffer.from(output).toString("latin1");
  const from = latin1.indexOf("@@");
  if (from < 0) throw new Error(`the guest said nothing; the console has ${JSON.stringify(latin1)}`);
  const records = new Map<string, Uint8Array[]>();
  let at = from + 2;
  while (latin1.slice(at, at + 2) !== "##") {
    const size = output[at + 1];
    if (size === undefined) throw new Error("the report breaks off");
    const letter = latin1[at];
    records.set(letter, [...(records.get(letter) ?? []), output.subarray(at + 2, at + 2 + size)]);
    at += 2 + size;
  }
  const view = (letter: string): ByteView => new ByteView(records.get(letter)?.[0] ?? new Uint8Array(0));
  const words = (letter: string, count: number): number[] =>
    Array.from({ length: count }, (_, i) => view(letter).u16(2 * i));
  const [gs, fs, ss, es, ds, cs, flags] = words("R", 7);
  const header = new Uint8Array(HEADER.start + HEADER.size);
  header.set(view("H").bytes, HEADER.start);
  const [baseKib, video, keyFlags, diskFlags] = words("B", 4);
  return {
    registers: { gs, fs, ss, es, ds, cs, flags, sp: view("S").u16(0) + 14 },
    header: new ByteView(header),
    commandLine: view("C").cString(0, COMMAND_LINE_LENGTH) ?? "",
    bios: {
      baseKib,
      videoMode: video & 0xff,
      columns: video >> 8,
      keyWaits: (keyFlags & 0x40) === 0,
      diskError: (diskFlags & 1) !== 0,
    },
    e820: (records.get("E") ?? []).map((bytes) => {
      const entry = new ByteView(bytes);
      return { start: Number(entry.u64(0)), size: Number(entry.u64(8)), type: entry.u32(16) };
    }),
    kernel: view("K").latin1(0, PEEKED),
  };
}
