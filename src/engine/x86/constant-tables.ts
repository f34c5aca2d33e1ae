/**
 * The tables that generated code looks things up in: AES rounds and CRC32. They lie at fixed places of the engine's
 * memory (layout.ts) and never change. Knows no instruction.
 *
 * Specification: FIPS 197 §4 (the field), §5.1.1 (SubBytes), §5.1.3 and §5.3.3 (MixColumns and its inverse); Intel SDM
 * vol. 2, CRC32 (the polynomial 0x11EDC6F41, bits reversed).
 */
import * as layout from "./layout.js";

const ENTRIES = 256;
/** m(x) = x^8 + x^4 + x^3 + x + 1, FIPS 197 §4.2. */
const FIELD_POLYNOMIAL = 0x11b;
const AFFINE_CONSTANT = 0x63;
/** 0x1EDC6F41 with its bits reversed. */
const CRC_POLYNOMIAL = 0x82f63b78;

/** Powers of the field's generator 3, and which power a byte is. */
function fieldPowers(): { power: Uint8Array; logarithm: Uint8Array } {
  const power = new Uint8Array(ENTRIES);
  const logarithm = new Uint8Array(ENTRIES);
  for (let i = 0, x = 1; i < ENTRIES - 1; i++) {
    power[i] = x;
    logarithm[x] = i;
    x ^= x << 1;
    if (x >= ENTRIES) x ^= FIELD_POLYNOMIAL;
  }
  return { power, logarithm };
}

function affine(x: number): number {
  const doubled = x | (x << 8);
  return (x ^ (doubled >> 7) ^ (doubled >> 6) ^ (doubled >> 5) ^ (doubled >> 4) ^ AFFINE_CONSTANT) & 0xff;
}

/** x · {02}, FIPS 197 §4.2.1. */
function twice(x: number): number {
  return (x << 1) ^ (x & 0x80 ? FIELD_POLYNOMIAL : 0);
}

/** Coefficients 2, 1, 1, 3 times a byte, as a little-endian dword. */
function mixColumn(x: number): number {
  const x2 = twice(x);
  return x2 | (x << 8) | (x << 16) | ((x2 ^ x) << 24);
}

/** Coefficients 14, 9, 13, 11. */
function inverseMixColumn(x: number): number {
  const x2 = twice(x);
  const x4 = twice(x2);
  const x8 = twice(x4);
  return (x8 ^ x4 ^ x2) | ((x8 ^ x) << 8) | ((x8 ^ x4 ^ x) << 16) | ((x8 ^ x2 ^ x) << 24);
}

/**
 * What one byte of row 0 adds to its column in a round, by that byte: SubBytes, then MixColumns. Byte 1 of each dword
 * is the substituted byte itself. Other rows add the same rotated by their number.
 */
function writeAes(view: DataView): void {
  const { power, logarithm } = fieldPowers();
  for (let x = 0; x < ENTRIES; x++) {
    const inverse = x === 0 ? 0 : power[(ENTRIES - 1 - logarithm[x]) % (ENTRIES - 1)];
    const substituted = affine(inverse);
    view.setInt32(layout.AES_ENCRYPT + 4 * x, mixColumn(substituted), true);
    view.setInt32(layout.AES_DECRYPT + 4 * substituted, inverseMixColumn(x), true);
    view.setUint8(layout.AES_RESTORE + substituted, x);
  }
}

/** Remainders of a byte followed by 0, 1, 2 and 3 bytes of zeros. */
function writeCrc(view: DataView): void {
  const at = (zeros: number, x: number): number => layout.CRC32C + zeros * layout.CRC32C_STRIDE + 4 * x;
  for (let x = 0; x < ENTRIES; x++) {
    let crc = x;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
    view.setUint32(at(0, x), crc, true);
  }
  for (let zeros = 1; zeros < 4; zeros++) {
    for (let x = 0; x < ENTRIES; x++) {
      const before = view.getUint32(at(zeros - 1, x), true);
      view.setUint32(at(zeros, x), (before >>> 8) ^ view.getUint32(at(0, before & 0xff), true), true);
    }
  }
}

/** The tables, as they lie in an engine's memory from `AES_ENCRYPT` on. */
export function constantTables(): Uint8Array {
  const view = new DataView(new ArrayBuffer(layout.CRC32C + 4 * layout.CRC32C_STRIDE));
  writeAes(view);
  writeCrc(view);
  return new Uint8Array(view.buffer, layout.AES_ENCRYPT);
}
