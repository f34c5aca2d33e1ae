/** A file of every kind that `inspect` tells apart, made small: kernels of each format, files that are none, disks. Builds bytes only. */
import { gzipSync } from "node:zlib";
import { ET } from "../../src/spec/elf.js";
import { linuxKernel, pvhKernel, soundKernels } from "../verdicts/x86-collection.js";
import {
  krnlSizeTable,
  makeArm64Image,
  makeFit,
  makeFreeBsdArm,
  makeUImage,
  makeZImage,
} from "./arm-images.js";
import { composed, extImage, fatImage, writeDisklabel, writeGpt, writeMbr } from "./disk-images.js";
import { makeElf } from "./images.js";
import { makeCpio, makePe, makeUki } from "./pe-images.js";
import { hermitImage, solo5Image, unikraftImage } from "./unikernel-images.js";

/** Forms of `inspect --json`, by the names of the schema's definitions. */
export type Form = "kernel" | "broken" | "named" | "unknown" | "unified" | "disk" | "snapshot" | "asked";
/** A file, and the form of what is said of it. */
export type FileKind = readonly [name: string, bytes: Uint8Array, form: Form];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Kernels of every format. */
export function kernels(): FileKind[] {
  const packed = gzipSync(text("a kernel"));
  const arm: FileKind[] = [
    ["freebsd-arm.elf", makeFreeBsdArm(), "kernel"],
    ["zImage", makeZImage({ payload: packed, table: krnlSizeTable(packed.length) }), "kernel"],
    ["zImage, cut", makeZImage({ start: 0x4000_8000, end: 0x4100_8000 }), "kernel"],
    ["Image.gz", gzipSync(makeArm64Image()), "kernel"],
    ["uImage", makeUImage({ data: makeZImage() }), "kernel"],
    ["kernel.itb", makeFit(makeArm64Image()), "kernel"],
  ];
  return [
    ...soundKernels().map(({ name, bytes }): FileKind => [name, bytes, "kernel"]),
    ["PVH kernel, packed with gzip", gzipSync(pvhKernel()), "kernel"],
    ["firmware", composed(2 ** 17, [[2 ** 17 - 16, Uint8Array.from([0xea, 0x5b, 0xe0, 0, 0xf0])]]), "kernel"],
    ...arm,
    ["Solo5 hvt", solo5Image("hvt"), "kernel"],
    ["Hermit", hermitImage(), "kernel"],
    ["Unikraft", unikraftImage("linux"), "kernel"],
  ];
}

/** Unified kernel images, and what is no kernel. */
export function otherFiles(): FileKind[] {
  const module = makeElf({
    type: ET.REL,
    sections: [{ name: ".modinfo", type: 1, bytes: text("license=GPL\0") }],
  });
  const uki = (kernel: Uint8Array): Uint8Array =>
    makeUki(kernel, { line: "console=ttyS0", initrd: makeCpio("init") });
  return [
    ["uki.efi", uki(linuxKernel()), "unified"],
    ["uki.efi of an ELF kernel", uki(pvhKernel()), "unified"],
    ["program.efi", makePe([[".text", new Uint8Array(64)]]), "named"],
    ["initrd", makeCpio("init", "bin"), "named"],
    ["module.ko", module, "kernel"],
    ["README", text("# A text\n"), "unknown"],
    ["empty", new Uint8Array(0), "unknown"],
    ["program.wasm", Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), "unknown"],
    ["Mach-O", Uint8Array.from([0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1]), "unknown"],
    ["noise", new Uint8Array(600).fill(0x95), "unknown"],
  ];
}

/** Disks with each kind of table, and without one. */
export function disks(): FileKind[] {
  const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";
  const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
  const guid = "01234567-89ab-cdef-0123-456789abcdef";
  const files = {
    "/boot/vmlinuz-6.1": linuxKernel(),
    "/boot/initrd.img-6.1": "initrd",
    "/sbin/init": "i",
    "/etc/fstab": "",
  };
  const root = extImage(files);
  const first = 512;
  const last = first + root.length / 512 - 1;
  const gpt = composed((last + 100) * 512, [
    [8 * 512, fatImage({ "/A": "a" }, { label: "ESP" })],
    [first * 512, root],
  ]);
  writeGpt(gpt, [
    { type: ESP, guid, first: 8, last: first - 1, name: "ESP" },
    { type: LINUX, guid: guid.replace("0", "1"), first, last },
  ]);
  const mbr = new Uint8Array(2 ** 20);
  writeMbr(mbr, [
    { type: 0x83, first: 64, count: 128 },
    { type: 0xa5, first: 256, count: 10_000 },
  ]);
  const label = new Uint8Array(2 ** 20);
  writeDisklabel(label, 0, [{ offset: 64, size: 64, type: 7 }]);
  return [
    ["GPT with a root file system", gpt, "disk"],
    ["MBR with a partition beyond the end", mbr, "disk"],
    ["disklabel", label, "disk"],
    ["ext without a table", root, "disk"],
    ["FAT without a table", fatImage({ "/A": "a" }), "disk"],
  ];
}
