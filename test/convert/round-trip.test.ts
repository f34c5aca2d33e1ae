/** R5.2 Debian's 64-bit kernel for ARM through the round trip; the 32-bit one, and both on Xen: round-trip.full.test.ts. */
import { KERNELS } from "./debian-kernels.js";
import { testRoundTrip } from "./round-trip.js";

for (const kernel of KERNELS.filter(({ bits }) => bits === 64)) testRoundTrip(kernel);
