/**
 * A file as loaders of x86 machines look at it: words at fixed offsets, read even where a reader of ours refuses the whole.
 * Knows no loader.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { isCpio } from "../../formats/cpio/cpio.js";
import { readPe } from "../../formats/pe/pe.js";
import type { Unikernel } from "../../formats/elf/unikernel.js";
import { ELF_MAGIC } from "../../spec/elf.js";
import {
  BOOT_FLAG,
  BOOT_FLAG_OFFSET,
  DEFAULT_SETUP_SECTS,
  HEADER_MAGIC,
  HEADER_OFFSET,
  LOADFLAGS,
  PARAGRAPH,
  SECTOR_SIZE,
  SETUP_OFFSET,
  XLOADFLAGS,
} from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER, MULTIBOOT1_SEARCH } from "../../spec/multiboot1.js";
import type { FailedCheck } from "../verdict.js";
import { rawElf, type RawElf } from "./raw-elf.js";

/** What loaders decide by. Everything but `view` is undefined where the file does not have it. */
export interface X86File {
  /** The file, unpacked if it is packed as a whole. */
  readonly view: ByteView;
  /** The codec of a file that is packed as a whole. */
  readonly packedBy: string | undefined;
  readonly setup: RawSetup | undefined;
  readonly elf: RawElf | undefined;
  /** The first Multiboot header of version 1 with a right sum, wherever it lies in the first 8 KiB. */
  readonly multiboot: RawMultiboot | undefined;
  /** What it is, where it is a unikernel that says so. */
  readonly unikernel: Unikernel | undefined;
  /** The ELF file in a bzImage, or why there is none. */
  payload(): RawElf | FailedCheck;
}

/** The fields of a Linux setup header that loaders look at; 0 where the file ends before them. */
export interface RawSetup {
  readonly bootFlag: number;
  readonly version: number;
  readonly setupSects: number;
  /** Bytes of boot sector and setup code. */
  readonly setupSize: number;
  /** Bytes of protected-mode code, by the header. */
  readonly codeSize: number;
  readonly loadedHigh: boolean;
  readonly entry64: boolean;
  readonly xloadflags: number;
  readonly loadflags: number;
  readonly code32Start: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  readonly commandLineMax: number;
  readonly relocatable: boolean;
}

/** A Multiboot 1 header; addresses are undefined where the flags do not promise them or the file ends. */
export interface RawMultiboot {
  readonly offset: number;
  readonly flags: number;
  readonly addresses:
    | {
        readonly header: number;
        readonly load: number;
        readonly loadEnd: number;
        readonly bssEnd: number;
        readonly entry: number;
      }
    | undefined;
}

/** Reads what is there. `payload` unpacks a bzImage's kernel, or says why not. */
export function x86File(
  bytes: Uint8Array,
  packedBy: string | undefined,
  payload: () => Uint8Array | FailedCheck,
  unikernel?: Unikernel,
): X86File {
  const view = new ByteView(bytes);
  let inside: RawElf | FailedCheck | undefined;
  const opened = (): RawElf | FailedCheck => {
    const found = payload();
    if (!(found instanceof Uint8Array)) return found;
    return (
      rawElf(new ByteView(found)) ?? {
        offset: 0,
        found: "a payload that is no ELF file",
        expected: "an ELF kernel",
      }
    );
  };
  return {
    view,
    packedBy,
    setup: rawSetup(view),
    elf: rawElf(view),
    multiboot: rawMultiboot(view),
    unikernel,
    payload: () => (inside ??= opened()),
  };
}

/** The file as a loader sees it that unpacks only what `unpacks` names: what it cannot unpack has no magic number. */
export function seenBy(file: X86File, unpacks: readonly string[] = []): X86File {
  if (file.packedBy === undefined || unpacks.includes(file.packedBy)) return file;
  return { ...file, setup: undefined, elf: undefined, multiboot: undefined };
}

/** A number of the file; 0 where it ends before it, as loaders that read into a cleared buffer have it. */
function number(view: ByteView, offset: number, size: 1 | 2 | 4): number {
  if (!view.holds(offset, size)) return 0;
  return size === 1 ? view.u8(offset) : size === 2 ? view.u16(offset) : view.u32(offset);
}

function rawSetup(view: ByteView): RawSetup | undefined {
  if (!view.matches(HEADER_OFFSET, HEADER_MAGIC)) return undefined;
  const setupSects = number(view, SETUP_OFFSET.setup_sects, 1);
  const loadflags = number(view, SETUP_OFFSET.loadflags, 1);
  const xloadflags = number(view, SETUP_OFFSET.xloadflags, 2);
  return {
    bootFlag: number(view, BOOT_FLAG_OFFSET, 2),
    version: number(view, SETUP_OFFSET.version, 2),
    setupSects,
    setupSize: ((setupSects === 0 ? DEFAULT_SETUP_SECTS : setupSects) + 1) * SECTOR_SIZE,
    codeSize: number(view, SETUP_OFFSET.syssize, 4) * PARAGRAPH,
    loadedHigh: (loadflags & LOADFLAGS.LOADED_HIGH) !== 0,
    entry64: (xloadflags & XLOADFLAGS.XLF_KERNEL_64) !== 0,
    xloadflags,
    loadflags,
    code32Start: number(view, SETUP_OFFSET.code32_start, 4),
    payloadOffset: number(view, SETUP_OFFSET.payload_offset, 4),
    payloadLength: number(view, SETUP_OFFSET.payload_length, 4),
    commandLineMax: number(view, SETUP_OFFSET.cmdline_size, 4),
    relocatable: number(view, SETUP_OFFSET.relocatable_kernel, 1) !== 0,
  };
}

const MB = MULTIBOOT1_HEADER;
const ADDRESSES_FLAG = 1 << 16;

function rawMultiboot(view: ByteView): RawMultiboot | undefined {
  const end = Math.min(MULTIBOOT1_SEARCH, view.length) - MB.SIZE;
  for (let at = 0; at <= end; at += 4) {
    if (view.u32(at) !== MB.MAGIC) continue;
    const flags = view.u32(at + MB.OFFSET.FLAGS);
    if ((MB.MAGIC + flags + view.u32(at + MB.OFFSET.CHECKSUM)) >>> 0 !== 0) continue;
    const has = (flags & ADDRESSES_FLAG) !== 0 && view.holds(at, MB.SIZE_WITH_ADDRESSES);
    const word = (offset: number): number => view.u32(at + offset);
    const addresses = has
      ? {
          header: word(MB.OFFSET.HEADER_ADDR),
          load: word(MB.OFFSET.LOAD_ADDR),
          loadEnd: word(MB.OFFSET.LOAD_END_ADDR),
          bssEnd: word(MB.OFFSET.BSS_END_ADDR),
          entry: word(MB.OFFSET.ENTRY_ADDR),
        }
      : undefined;
    return { offset: at, flags, addresses };
  }
  return undefined;
}

/** Whether a Multiboot header's flags promise load addresses. */
export function promisesAddresses({ flags }: RawMultiboot): boolean {
  return (flags & ADDRESSES_FLAG) !== 0;
}

/** What stands at the file's first bytes, for a check that found no magic number there. */
export function startText({ view, packedBy, elf, setup }: X86File): string {
  if (packedBy !== undefined) return `a file packed with ${packedBy}`;
  if (elf !== undefined) return `an ELF${elf.bits ?? ""} file`;
  if (setup !== undefined) return "a Linux bzImage";
  if (view.length < ELF_MAGIC.length) return `a file of ${view.length} bytes`;
  if (isCpio(view)) return "a cpio archive";
  if (readPe(view.bytes) !== undefined) return "a PE/COFF program";
  return hex(view.u32(0), 8);
}

/** The check of a file whose first bytes are not ELF's. */
export function elfMagicCheck(file: X86File): FailedCheck {
  return { offset: 0, found: startText(file), expected: "7f 45 4c 46 (ELF)" };
}

/** The check of a file without a Linux setup header. */
export function setupMagicCheck(file: X86File): FailedCheck {
  const { view, packedBy } = file;
  const offset = packedBy === undefined ? HEADER_OFFSET : 0;
  const found =
    packedBy === undefined && view.holds(HEADER_OFFSET, 4)
      ? `${hex(view.u32(HEADER_OFFSET), 8)}, in ${startText(file)}`
      : startText(file);
  return { offset: Math.min(offset, view.length), found, expected: '"HdrS" (Linux setup header)' };
}

/** A boot sector's mark, which some loaders look for beside "HdrS". */
export const GOOD_BOOT_FLAG = BOOT_FLAG;

/** 2.06 as text for a check. */
export function protocolText(version: number): string {
  return `protocol ${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
}
