/** Debian 13's kernel, unpacked on the host: a second where the guest takes billions of steps. */
import { testKernel } from "./x86-64-kernels.js";

testKernel("debian-13-cloud", "pvh");
