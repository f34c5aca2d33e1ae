/** Debian's 32-bit kernels by every entry that each offers. */
import { waysInto } from "./protocols.js";
import { testThirtyTwoBitKernel } from "./thirty-two-bit.js";

for (const guest of ["debian-686-pae", "debian-686"] as const) {
  for (const way of waysInto(guest)) testThirtyTwoBitKernel(guest, way);
}
