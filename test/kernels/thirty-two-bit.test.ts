/** Debian's 32-bit kernel, unpacked on the host: protected mode with PAE paging. */
import { testThirtyTwoBitKernel } from "./thirty-two-bit.js";

testThirtyTwoBitKernel("debian-686-pae", "pvh");
