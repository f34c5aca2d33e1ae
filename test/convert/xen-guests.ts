/** Guests for a real Xen, and what it says of them. */
import type { WrapTarget } from "../../src/convert/index.js";
import { makeGuest, type Guest } from "./guest.js";

export const TARGET: Readonly<Record<32 | 64, WrapTarget>> = { 32: "zimage", 64: "arm64-image" };
/** As FreeBSD's kernels are linked: p_paddr repeats the virtual address. */
export const FREEBSD_LINK = { 32: 0xc040_0000n, 64: 0xffff_0000_0000_0000n } as const;
/** The same above the start of memory. */
export const OFFSET = { 32: 0x40_0000, 64: 0 } as const;
export const REPORTED = /x=0+\r?\n/;
export const LOADER = { 32: "xen-armhf", 64: "xen-arm64" } as const;
export const REFUSED_GUEST = "Could not set up domain domU1";
export const REFUSED_DOM0 = "Could not set up DOM0 guest OS";
export const PANIC = /Could not set up .*\r?\n/;

/** A kernel as FreeBSD's are: linked high, and willing to run where it is. */
export function freebsdShaped(bits: 32 | 64, uart: number): Guest {
  return makeGuest({ bits, link: FREEBSD_LINK[bits], uart, freebsd: true });
}
