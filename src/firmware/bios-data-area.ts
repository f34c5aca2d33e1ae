/**
 * The two words of the BIOS data area that systems read to find the MP table: where the EBDA is and where base
 * memory ends. Everything else in it is zero: no serial ports, no disks, as there is no BIOS.
 *
 * Specification: IBM PS/2 BIOS technical reference; used by Linux, FreeBSD and NetBSD as MP 1.4 §4 says.
 */
import { BDA_BASE_MEMORY_KIB, BDA_EBDA_SEGMENT, BIOS_DATA_AREA, EBDA } from "../memory/layout.js";

/** Contents for `BIOS_DATA_AREA`. */
export function biosDataArea(): Uint8Array {
  const bytes = new Uint8Array(BIOS_DATA_AREA.size);
  const view = new DataView(bytes.buffer);
  view.setUint16(BDA_EBDA_SEGMENT - BIOS_DATA_AREA.start, EBDA.start >> 4, true);
  view.setUint16(BDA_BASE_MEMORY_KIB - BIOS_DATA_AREA.start, EBDA.start >> 10, true);
  return bytes;
}
