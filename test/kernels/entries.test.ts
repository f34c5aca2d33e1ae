/**
 * Debian's kernel to a busybox userspace on the built-in engine, and out again, by three of its entries. The others are in
 * entries.full.test.ts.
 */
import { testRoute } from "./routes.js";

testRoute("R1.2 bzImage by its 64-bit entry", "poweroff");
testRoute("R1.2 bzImage by its 32-bit entry", "reboot");
testRoute("R2.1 R4.1 vmlinux through PVH", "poweroff");
