/** Images of the catalogue by every boot protocol: those that take no time to unpack. */
import { testCatalogue, testOffers, testWays } from "./protocols.js";

testWays();
testCatalogue();
for (const guest of [
  "debian-cloud",
  "busybox",
  "xen",
  "xen-shim",
  "gnumach",
  "gnumach-amd64",
  "seabios",
  "qboot",
  "ovmf",
  "memtest86+",
  "ipxe",
  "memdisk",
]) {
  testOffers(guest);
}
