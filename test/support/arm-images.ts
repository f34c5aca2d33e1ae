/**
 * Tiny synthetic kernel images of ARM machines: zImage, arm64 Image, uImage, flattened trees and FITs. Every field can be
 * overridden, so that hostile files are one line away. Builds bytes only; knows no loader.
 */
import { alignUp } from "../../src/bytes/align.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { crc32 } from "../../src/codecs/crc32.js";
import {
  ARM64_IMAGE,
  ARM64_IMAGE_MAGIC,
  FDT,
  ZIMAGE,
  ZIMAGE_ENDIAN,
  ZIMAGE_MAGIC,
  ZIMAGE_MAGIC2,
  ZIMAGE_TAG_KRNL_SIZE,
} from "../../src/spec/arm-boot.js";
import { FDT_HEADER, FDT_LAST_COMPATIBLE, FDT_TOKEN, FDT_VERSION } from "../../src/spec/device-tree.js";
import { IH_ARCH, IH_COMP, IH_OS, IH_TYPE, UIMAGE, UIMAGE_MAGIC } from "../../src/spec/uimage.js";
import { ELFOSABI, EM, PT } from "../../src/spec/elf.js";
import { makeElf, makeNotes } from "./images.js";

/** What a zImage is made of; everything has a default. */
export interface ZImageParts {
  start?: number;
  end?: number;
  /** Put at 0x100; the extension table, if any, stands before it. */
  payload?: Uint8Array;
  /** Words of the extension table at 0x40; `payloadEnd` stands for the offset of the size word. */
  table?: readonly number[];
  bigEndian?: boolean;
}

const TABLE_AT = 0x40;
const PAYLOAD_AT = 0x100;

/** A zImage. Without a payload it has 256 bytes. */
export function makeZImage(parts: ZImageParts = {}): Uint8Array {
  const payload = parts.payload ?? new Uint8Array(0);
  const bytes = new Uint8Array(alignUp(PAYLOAD_AT + payload.length, 4));
  const view = new ByteView(bytes);
  const word = (at: number, value: number): void =>
    parts.bigEndian === true ? view.setU32be(at, value) : view.setU32(at, value);
  word(ZIMAGE.MAGIC, ZIMAGE_MAGIC);
  word(ZIMAGE.START, parts.start ?? 0);
  word(ZIMAGE.END, parts.end ?? (parts.start ?? 0) + bytes.length);
  word(ZIMAGE.ENDIAN_MAGIC, ZIMAGE_ENDIAN.LITTLE);
  view.setBytes(PAYLOAD_AT, payload);
  if (parts.table !== undefined) {
    word(ZIMAGE.MAGIC2, ZIMAGE_MAGIC2);
    word(ZIMAGE.TABLE, TABLE_AT);
    parts.table.forEach((value, i) => {
      word(TABLE_AT + i * 4, value);
    });
  }
  return bytes;
}

/** The table of a Linux kernel with a payload of `size` bytes: its last four are the unpacked size. */
export function krnlSizeTable(size: number, bss = 0x1000): number[] {
  return [6, ZIMAGE_TAG_KRNL_SIZE, PAYLOAD_AT + size - 4, bss, 0x8000, 0x10000, 0];
}

/** Fields of an arm64 Image. */
export interface Arm64ImageParts {
  code0?: number;
  textOffset?: number | bigint;
  imageSize?: number | bigint;
  flags?: number | bigint;
  magic?: number;
  /** Bytes of the file. */
  size?: number;
}

/** An arm64 Image. */
export function makeArm64Image(parts: Arm64ImageParts = {}): Uint8Array {
  const view = new ByteView(new Uint8Array(parts.size ?? 0x200));
  view.setU32(ARM64_IMAGE.CODE0, parts.code0 ?? 0x1400_0010);
  view.setU64(ARM64_IMAGE.TEXT_OFFSET, parts.textOffset ?? 0);
  view.setU64(ARM64_IMAGE.IMAGE_SIZE, parts.imageSize ?? 0x1000);
  view.setU64(ARM64_IMAGE.FLAGS, parts.flags ?? 0xa);
  view.setU32(ARM64_IMAGE.MAGIC, parts.magic ?? ARM64_IMAGE_MAGIC);
  return view.bytes;
}

/** Fields of a uImage. */
export interface UImageParts {
  data?: Uint8Array;
  load?: number;
  entry?: number;
  os?: number;
  arch?: number;
  type?: number;
  compression?: number;
  name?: string;
  size?: number;
}

/** A uImage with right checksums. */
export function makeUImage(parts: UImageParts = {}): Uint8Array {
  const data = parts.data ?? new Uint8Array(32).fill(7);
  const view = new ByteView(new Uint8Array(UIMAGE.SIZE + data.length));
  view.setU32be(UIMAGE.MAGIC, UIMAGE_MAGIC);
  view.setU32be(UIMAGE.SIZE_FIELD, parts.size ?? data.length);
  view.setU32be(UIMAGE.LOAD, parts.load ?? 0x4020_0000);
  view.setU32be(UIMAGE.EP, parts.entry ?? parts.load ?? 0x4020_0000);
  view.setU32be(UIMAGE.DCRC, crc32(data));
  view.setU8(UIMAGE.OS, parts.os ?? IH_OS.LINUX);
  view.setU8(UIMAGE.ARCH, parts.arch ?? IH_ARCH.ARM);
  view.setU8(UIMAGE.TYPE, parts.type ?? IH_TYPE.KERNEL);
  view.setU8(UIMAGE.COMP, parts.compression ?? IH_COMP.NONE);
  view.setLatin1(UIMAGE.NAME, parts.name ?? "test");
  view.setBytes(UIMAGE.SIZE, data);
  view.setU32be(UIMAGE.HCRC, crc32(view.slice(0, UIMAGE.SIZE)));
  return view.bytes;
}

/** A node of a tree to be made; a value is text, cells, or bytes. */
export interface TreeParts {
  properties?: Readonly<Record<string, string | readonly number[] | Uint8Array>>;
  children?: Readonly<Record<string, TreeParts>>;
}

/** A flattened device tree. */
export function makeTree(root: TreeParts): Uint8Array {
  const struct: number[] = [];
  let strings = "";
  const cell = (value: number): void =>
    void struct.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  const raw = (bytes: readonly number[]): void => {
    for (const byte of bytes) struct.push(byte);
    while (struct.length % 4 !== 0) struct.push(0);
  };
  const latin1 = (text: string): number[] => [...Array.from(text, (c) => c.charCodeAt(0)), 0];
  const valueBytes = (value: string | readonly number[] | Uint8Array): number[] => {
    if (typeof value === "string") return latin1(value);
    if (value instanceof Uint8Array) return Array.from(value);
    return value.flatMap((v) => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255]);
  };
  const node = (name: string, parts: TreeParts): void => {
    cell(FDT_TOKEN.BEGIN_NODE);
    raw(latin1(name));
    for (const [key, value] of Object.entries(parts.properties ?? {})) {
      const bytes = valueBytes(value);
      cell(FDT_TOKEN.PROP);
      cell(bytes.length);
      cell(strings.length);
      strings += `${key}\0`;
      raw(bytes);
    }
    for (const [child, inner] of Object.entries(parts.children ?? {})) node(child, inner);
    cell(FDT_TOKEN.END_NODE);
  };
  node("", root);
  cell(FDT_TOKEN.END);
  const structAt = FDT_HEADER.SIZE + 16;
  const stringsAt = structAt + struct.length;
  const view = new ByteView(new Uint8Array(stringsAt + strings.length));
  const header: [number, number][] = [
    [FDT_HEADER.MAGIC, FDT.MAGIC_VALUE],
    [FDT_HEADER.TOTALSIZE, view.length],
    [FDT_HEADER.OFF_DT_STRUCT, structAt],
    [FDT_HEADER.OFF_DT_STRINGS, stringsAt],
    [FDT_HEADER.OFF_MEM_RSVMAP, FDT_HEADER.SIZE],
    [FDT_HEADER.VERSION, FDT_VERSION],
    [FDT_HEADER.LAST_COMP_VERSION, FDT_LAST_COMPATIBLE],
    [FDT_HEADER.SIZE_DT_STRINGS, strings.length],
    [FDT_HEADER.SIZE_DT_STRUCT, struct.length],
  ];
  for (const [at, value] of header) view.setU32be(at, value);
  view.setBytes(structAt, Uint8Array.from(struct));
  view.setLatin1(stringsAt, strings);
  return view.bytes;
}

/** A FIT with one kernel, its data inside, and a configuration that takes it. */
export function makeFit(
  data: Uint8Array,
  kernel: TreeParts["properties"] = {},
  root: TreeParts["properties"] = {},
): Uint8Array {
  const sum = crc32(data);
  return makeTree({
    properties: { description: "a test", timestamp: [1], "#address-cells": [1], ...root },
    children: {
      images: {
        children: {
          "kernel-1": {
            properties: {
              description: "the kernel",
              type: "kernel",
              arch: "arm64",
              os: "linux",
              compression: "none",
              load: [0x4020_0000],
              entry: [0x4020_0000],
              data,
              ...kernel,
            },
            children: { "hash-1": { properties: { algo: "crc32", value: [sum] } } },
          },
        },
      },
      configurations: {
        properties: { default: "conf-1" },
        children: { "conf-1": { properties: { description: "this one", kernel: "kernel-1" } } },
      },
    },
  });
}

/** A FIT whose kernel has exactly these properties, with other images and properties of its one configuration, "conf-1". */
export function makeFitOf(
  kernel: NonNullable<TreeParts["properties"]>,
  more: {
    images?: TreeParts["children"];
    parts?: TreeParts["properties"];
    group?: TreeParts["properties"];
  } = {},
): Uint8Array {
  return makeTree({
    properties: { description: "a test", timestamp: [1], "#address-cells": [1] },
    children: {
      images: { children: { k: { properties: kernel }, ...more.images } },
      configurations: {
        properties: { default: "conf-1", ...more.group },
        children: { "conf-1": { properties: { kernel: "k", ...more.parts } } },
      },
    },
  });
}

/** Bytes as Linux packs them with lz4: legacy frame, one block, literals only. */
export function packLz4Legacy(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length - 15;
  const block = [0xf0, ...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255, ...bytes];
  const view = new ByteView(new Uint8Array(8 + block.length));
  view.setU32(0, 0x184c_2102);
  view.setU32(4, block.length);
  view.setBytes(8, Uint8Array.from(block));
  return view.bytes;
}

/** A kernel shaped like FreeBSD/arm's: its interpreter, ABI note, EABI5, and p_paddr that repeats p_vaddr. */
export function makeFreeBsdArm(at = 0xc040_0000): Uint8Array {
  const version = new ByteView(new Uint8Array(4));
  version.setU32(0, 1_302_001);
  const note = makeNotes([{ name: "FreeBSD", type: 1, desc: version.bytes }]);
  const bytes = makeElf({
    elfClass: 32,
    machine: EM.ARM,
    entry: at + 0x100,
    segments: [
      { vaddr: at, bytes: new Uint8Array(0x200).fill(0xe1), memsz: 0x1000 },
      { type: PT.INTERP, bytes: new TextEncoder().encode("/red/herring\0") },
      { type: PT.NOTE, bytes: note },
    ],
  });
  const view = new ByteView(bytes);
  view.setU32(36, 0x0500_0200);
  view.setU8(7, ELFOSABI.FREEBSD);
  return bytes;
}
