/** Debian's generic kernel, unpacked on the host, which takes a second where the guest takes 4.5 G instructions. */
import { testGenericKernel } from "./generic.js";

testGenericKernel("R2.1 through PVH", { name: "pvh" });
