/**
 * Writes what the region compiler made of each region to a folder: `NNNNN.txt` with the guest's instructions and the
 * result of every pass, `NNNNN.wasm` with the module. A file is there whole or not at all. Knows no compiler.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Regions that are written; a boot has about a thousand. */
const MOST_REGIONS = 20_000;
/** Bytes that are written in all. */
const MOST_BYTES = 2 ** 30;
const DIGITS = 5;

/** Takes a region's text and module. */
export type DumpRegion = (text: string, wasm: Uint8Array) => void;

function writeWhole(file: string, content: string | Uint8Array): void {
  const partial = `${file}.partial`;
  writeFileSync(partial, content);
  renameSync(partial, file);
}

/**
 * Makes the folder and returns what writes into it, numbering regions in the order that they are compiled; after
 * `most` regions or 1 GiB it does nothing. Throws what the file system throws.
 */
export function dumpInto(folder: string, most = MOST_REGIONS): DumpRegion {
  mkdirSync(folder, { recursive: true });
  let regions = 0;
  let bytes = 0;
  return (text, wasm) => {
    if (regions >= most || bytes + text.length + wasm.length > MOST_BYTES) return;
    const name = path.join(folder, String(regions++).padStart(DIGITS, "0"));
    bytes += text.length + wasm.length;
    writeWhole(`${name}.wasm`, wasm);
    writeWhole(`${name}.txt`, text);
  };
}
