/**
 * The reporting guests as ELF files: code, a pattern behind it, bss; and what they report, read back. guest-code.ts has
 * the code.
 */
import assert from "node:assert/strict";
import { ByteView } from "../../src/bytes/byte-view.js";
import { listingBytes } from "../../src/convert/listing.js";
import { recognise } from "../../src/formats/index.js";
import { EM, PT } from "../../src/spec/elf.js";
import { verdicts, type Verdict } from "../../src/verdicts/index.js";
import { makeElf, makeNotes, type ElfSegmentParts } from "../support/images.js";
import { GUEST_ENTRY, GUEST_WORDS, GUEST32, GUEST64 } from "./guest-code.js";

/** PL011s: of QEMU's virt machines, of Xen's dom0less guests; and Xen's hypercall. */
export const UART = { QEMU: 0x0900_0000, XEN: 0x2200_0000, HYPERCALL: 0 } as const;

export interface GuestParts {
  bits: 32 | 64;
  /** p_paddr, and p_vaddr unless that is given. */
  link: bigint;
  virtual?: bigint;
  uart: number;
  /** Bytes of pattern behind the code, and of bss behind that; 40,000 and 20,000. */
  pattern?: number;
  bss?: number;
  thumb?: boolean;
  /** As FreeBSD's kernels look: interpreter /red/herring, its ABI note. */
  freebsd?: boolean;
}

export interface Guest {
  readonly elf: Uint8Array;
  readonly bits: 32 | 64;
  /** What it must report of itself. */
  readonly checksum: number;
  /** Bytes in the file, and in memory. */
  readonly contents: number;
  readonly memory: number;
}

const PATTERN = 40_000;
const BSS = 20_000;
const FREEBSD_ABI = { name: "FreeBSD", type: 1, desc: Uint8Array.of(0x8c, 0x9b, 0x13, 0) };

/** Any numbers, no two neighbours alike; different at each length. */
function fillPattern(view: ByteView, from: number): void {
  let value = view.length;
  for (let at = from; at < view.length; at += 4) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    view.setU32(at, value);
  }
}

/** As the guests compute it. */
function checksum(view: ByteView): number {
  let sum = 0;
  for (let at = GUEST_ENTRY.CODE; at < view.length; at += 4) {
    sum = (((sum << 1) | (sum >>> 31)) + view.u32(at)) >>> 0;
  }
  return sum;
}

/** Makes a guest. */
export function makeGuest(parts: GuestParts): Guest {
  const { bits, link, virtual = link, pattern = PATTERN, bss = BSS } = parts;
  const code = listingBytes(bits === 32 ? GUEST32 : GUEST64);
  const view = new ByteView(new Uint8Array(code.length + pattern));
  view.setBytes(0, code);
  view.setU32(GUEST_WORDS.UART, parts.uart);
  view.setU32(GUEST_WORDS.FILE, view.length);
  view.setU32(GUEST_WORDS.MEMORY, view.length + bss);
  fillPattern(view, code.length);
  const segments: ElfSegmentParts[] = [
    { paddr: link, vaddr: virtual, bytes: view.bytes, memsz: view.length + bss },
  ];
  if (parts.freebsd === true) {
    segments.push({ type: PT.INTERP, bytes: new TextEncoder().encode("/red/herring\0") });
    segments.push({ type: PT.NOTE, bytes: makeNotes([FREEBSD_ABI]) });
  }
  const entry = virtual + BigInt(parts.thumb === true ? GUEST_ENTRY.THUMB + 1 : GUEST_ENTRY.CODE);
  const machine = bits === 32 ? EM.ARM : EM.AARCH64;
  return {
    elf: makeElf({ elfClass: bits, machine, entry, segments }),
    bits,
    checksum: checksum(view),
    contents: view.length,
    memory: view.length + bss,
  };
}

/** What a guest said, by letter; undefined when it said nothing or not all of it. */
export function readReport(console: string): Record<string, number> | undefined {
  const found = [...console.matchAll(/(?<![0-9a-z])([0-3bdepqsx])=([0-9a-f]{8}(?:[0-9a-f]{8})?)(?=\r?\n)/g)];
  const report = Object.fromEntries(found.map(([, name, value]) => [name, Number.parseInt(value, 16)]));
  return "x" in report ? report : undefined;
}

/** First words of a device tree that is whole: its magic number, FDT_END. */
const TREE = { d: 0xd00dfeed, e: 9 };

/** Holds a report to what must be: place, contents, bss, and a whole device tree at the register that names it. */
export function checkReport(console: string, guest: Guest, address: number): Record<string, number> {
  const report = readReport(console);
  assert.ok(report !== undefined, `no report:\n${console}`);
  const { p, q, b, d, e } = report;
  assert.deepEqual({ p, q, b, d, e }, { p: address, q: guest.checksum, b: 0, ...TREE }, console);
  return report;
}

/** What `locore inspect` says that a loader does with a file. */
export function verdictOf(bytes: Uint8Array, loader: string): Verdict {
  const found = verdicts(recognise(bytes)).find(({ loader: { name } }) => name === loader);
  assert.ok(found !== undefined, `no verdict of ${loader}`);
  return found;
}
