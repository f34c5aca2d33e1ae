/** Debian's generic kernel as it is: it unpacks its xz payload itself, with the x86 filter. */
import { testGenericKernel } from "./generic.js";

testGenericKernel("R1.2 by the 64-bit entry", {});
testGenericKernel("R1.2 by the 32-bit entry", { entry: "32" });
