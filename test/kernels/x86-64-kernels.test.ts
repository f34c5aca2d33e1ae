/** Debian's generic kernel and Debian 13's, unpacked on the host: a second where the guest takes billions of steps. */
import { testKernel } from "./x86-64-kernels.js";

testKernel("debian-amd64", "pvh");
testKernel("debian-13-cloud", "pvh");
