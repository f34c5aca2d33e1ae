/** Debian's 32-bit kernel, unpacked on the host: protected mode with PAE paging. */
import { testThirtyTwoBitKernel } from "./thirty-two-bit.js";

testThirtyTwoBitKernel("R2.1 through PVH", { name: "pvh" });
