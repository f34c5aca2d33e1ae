/** PC firmware in the corpus of the formats' fuzz target: images that are known by size and reset vector alone. */
import { FIRMWARE_SIZE, FIRMWARE_VOLUME, RESET_VECTOR_FROM_END } from "../../src/spec/pc-firmware.js";
import type { Seed } from "./formats.js";

/** As SeaBIOS, qboot and OVMF end: a far jump with date and model, a near jump, NOPs before one. */
const ENDS: readonly { name: string; vector: readonly number[]; texts: readonly [number, string][] }[] = [
  {
    name: "firmware seabios",
    vector: [0xea, 0x5b, 0xe0, 0, 0xf0, ...Buffer.from("06/23/99"), 0, 0xfc, 0],
    texts: [[0x8000, "SeaBIOS (version 1.16.2)"]],
  },
  { name: "firmware qboot", vector: [0xe9, 0x8d, 0xff], texts: [] },
  {
    name: "firmware ovmf",
    vector: [0x90, 0x90, 0xe9, 0x5b, 0xff],
    texts: [[FIRMWARE_VOLUME.OFFSET, FIRMWARE_VOLUME.MAGIC]],
  },
];

/** One of each, of the least size that there is; damage goes to the last 16 bytes as a rule. */
export function firmwareSeeds(): Seed[] {
  const start = FIRMWARE_SIZE.LEAST - RESET_VECTOR_FROM_END;
  return ENDS.map(({ name, vector, texts }) => {
    const bytes = new Uint8Array(FIRMWARE_SIZE.LEAST);
    bytes.set(vector, start);
    for (const [offset, text] of texts) bytes.set(Buffer.from(text), offset);
    const fields = vector.map((_, i) => ({ offset: start + i, size: 1 }));
    return { name, bytes, fields };
  });
}
