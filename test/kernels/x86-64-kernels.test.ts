/** Debian's generic kernel and Debian 13's, unpacked on the host: a second where the guest takes billions of steps. */
import { testKernel } from "./x86-64-kernels.js";

testKernel("R2.1 through PVH", "debian-amd64", { name: "pvh" });
testKernel("R2.1 through PVH", "debian-13-cloud", { name: "pvh" });
