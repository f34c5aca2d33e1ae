/** Debian's kernel, by every boot protocol, to a busybox userspace on the built-in engine, and out again. */
import { testRoute } from "./routes.js";

testRoute("R1.2 bzImage by its 64-bit entry", "poweroff");
testRoute("R1.2 bzImage by its 32-bit entry", "reboot");
testRoute("R2.1 bzImage through PVH", "halt");
testRoute("R2.1 R4.1 vmlinux through PVH", "poweroff");
testRoute("R1.2 vmlinux by the 64-bit ELF protocol", "reboot");
