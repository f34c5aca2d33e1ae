/**
 * Builds a global descriptor table for an entry state, with selectors where the boot protocols fix them. Knows
 * no protocol beyond these numbers.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst ("__BOOT_CS(0x10)", "__BOOT_DS(0x18)"); Multiboot 0.6.96 §3.2
 * leaves the selectors open; SDM vol. 3A §3.5.1.
 */
import { DESCRIPTOR_SIZE } from "../spec/x86-system.js";
import type { SegmentRegister } from "./cpu-state.js";
import { code64, emptyTaskState, encodeDescriptor, flatCode32, flatData } from "./segments.js";

/** Selectors that the Linux boot protocol prescribes; PVH does not mind. */
export const BOOT_CS = 0x10;
export const BOOT_DS = 0x18;
/** Task register. Two entries are kept: a 64-bit TSS descriptor takes 16 bytes. */
export const BOOT_TR = 0x20;
const TABLE_ENTRIES = 6;

/** Selectors of code and data. */
export interface BootSelectors {
  code: number;
  data: number;
}

const LINUX_SELECTORS: BootSelectors = { code: BOOT_CS, data: BOOT_DS };
/**
 * QEMU's, for Multiboot. Kernels that were only ever started by QEMU load a table of their own, in which 0x08 is code,
 * and never reload CS: their first IRET would find data at 0x10.
 */
export const MULTIBOOT_SELECTORS: BootSelectors = { code: 0x08, data: 0x10 };

/** A table with the segments that an entry state loads, and their registers. */
export interface BootGdt {
  bytes: Uint8Array;
  /** Limit for GDTR: size less one. */
  limit: number;
  code: SegmentRegister;
  data: SegmentRegister;
  task: SegmentRegister;
}

/** Flat code, data and an empty TSS, for 32-bit or 64-bit code. */
export function bootGdt(width: 32 | 64, selectors = LINUX_SELECTORS): BootGdt {
  const code = width === 64 ? code64(selectors.code) : flatCode32(selectors.code);
  const data = flatData(selectors.data);
  const task = emptyTaskState(BOOT_TR);
  const bytes = new Uint8Array(TABLE_ENTRIES * DESCRIPTOR_SIZE);
  const view = new DataView(bytes.buffer);
  for (const segment of [code, data, task]) {
    view.setBigUint64(segment.selector, encodeDescriptor(segment), true);
  }
  return { bytes, limit: bytes.length - 1, code, data, task };
}
