/**
 * Debian's kernels for x86-64 by every entry that each offers: the bzImage by its 16-bit one with SeaBIOS underneath, its
 * 32-bit and its 64-bit one, where it unpacks its payload itself, and the ELF file inside by PVH and at its own entry.
 */
import { waysInto } from "./protocols.js";
import { KERNELS, testKernel } from "./x86-64-kernels.js";

for (const guest of Object.keys(KERNELS) as (keyof typeof KERNELS)[]) {
  for (const way of waysInto(guest)) testKernel(guest, way);
}
