/** Kernel images of ARM machines in the corpus of the formats' fuzz target. */
import { gzipSync } from "node:zlib";
import { ARM64_IMAGE, ZIMAGE } from "../../src/spec/arm-boot.js";
import { FDT_HEADER } from "../../src/spec/device-tree.js";
import { ELF32 } from "../../src/spec/elf.js";
import { UIMAGE } from "../../src/spec/uimage.js";
import {
  krnlSizeTable,
  makeArm64Image,
  makeFit,
  makeFreeBsdArm,
  makeUImage,
  makeZImage,
} from "../support/arm-images.js";
import { packedSamples } from "../codecs/sample.js";
import type { Seed } from "./formats.js";

const WORD = 4;
/** Words of the extension table, where makeZImage puts it. */
const TABLE = { offset: 0x40, words: 7 } as const;

function words(start: number, end: number): { offset: number; size: number }[] {
  return Array.from({ length: (end - start) / WORD }, (_, i) => ({ offset: start + i * WORD, size: WORD }));
}

/** One of each kind, and of what each may hold. */
export function armSeeds(): Seed[] {
  const kernel = makeArm64Image({ size: 0x100 });
  const zImages = packedSamples()
    .filter(({ codec }) => codec !== "zstd")
    .map(({ codec, bytes }) => ({
      name: `zimage ${codec}`,
      bytes: makeZImage({ payload: bytes, table: krnlSizeTable(bytes.length) }),
      fields: [
        ...words(ZIMAGE.MAGIC, ZIMAGE.EXTENDED_SIZE),
        ...words(TABLE.offset, TABLE.offset + TABLE.words * WORD),
      ],
    }));
  const fit = makeFit(gzipSync(kernel));
  const header = words(0, UIMAGE.SIZE);
  return [
    ...zImages,
    { name: "arm64-image", bytes: kernel, fields: words(0, ARM64_IMAGE.SIZE) },
    { name: "uimage", bytes: makeUImage({ data: kernel, arch: 22 }), fields: header },
    {
      name: "uimage gzip",
      bytes: makeUImage({ data: gzipSync(makeZImage()), compression: 1 }),
      fields: header,
    },
    { name: "uimage of a uimage", bytes: makeUImage({ data: makeUImage() }), fields: header },
    { name: "fit", bytes: fit, fields: words(0, fit.length - (fit.length % WORD)) },
    { name: "fit header", bytes: makeFit(makeFit(kernel)), fields: words(0, FDT_HEADER.SIZE) },
    {
      name: "freebsd-arm",
      bytes: makeFreeBsdArm(),
      fields: words(16, ELF32.ehdr.size + 3 * ELF32.phdr.size),
    },
  ];
}
