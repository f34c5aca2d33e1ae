/** Debian's 32-bit kernel as it is: it unpacks its xz payload itself. */
import { testThirtyTwoBitKernel } from "./thirty-two-bit.js";

testThirtyTwoBitKernel("R1.2 by the 32-bit entry", { entry: "32" });
testThirtyTwoBitKernel("R1.2 by the entry that is chosen by itself", {});
testThirtyTwoBitKernel("R1.2 unpacked, at its ELF entry", { name: "elf32" });
