/**
 * The lowest memory of a machine without a BIOS. Interrupt vectors of real mode that all say "not supported", so that
 * a kernel which asks a BIOS on its way (Xen does) gets an answer instead of running through zeros; and the two words
 * of the BIOS data area that systems read to find the MP table: where the EBDA is and where base memory ends.
 * Everything else is zero: no serial ports, no disks.
 *
 * Specification: IBM PS/2 BIOS technical reference (vectors, data area; CF set means that a function failed); MP 1.4 §4.
 */
import { BDA_BASE_MEMORY_KIB, BDA_EBDA_SEGMENT, EBDA, REAL_MODE_DATA } from "../memory/layout.js";

const VECTORS = 256;
const VECTOR_SIZE = 4;
/** In the area that programs may use among themselves. */
const HANDLER_AT = 0x4f0;
/** CF and ZF: failed, and no key is waiting. */
const NOT_SUPPORTED = 0x41;
/** push bp; mov bp, sp; or byte [bp+6], flags; pop bp; iret */
const HANDLER = [0x55, 0x89, 0xe5, 0x80, 0x4e, 0x06, NOT_SUPPORTED, 0x5d, 0xcf];

/** Contents for `REAL_MODE_DATA`. */
export function realModeData(): Uint8Array {
  const bytes = new Uint8Array(REAL_MODE_DATA.size);
  const view = new DataView(bytes.buffer);
  for (let vector = 0; vector < VECTORS; vector++) view.setUint32(vector * VECTOR_SIZE, HANDLER_AT, true);
  view.setUint16(BDA_EBDA_SEGMENT, EBDA.start >> 4, true);
  view.setUint16(BDA_BASE_MEMORY_KIB, EBDA.start >> 10, true);
  bytes.set(HANDLER, HANDLER_AT);
  return bytes;
}
