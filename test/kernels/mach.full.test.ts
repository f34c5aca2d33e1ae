// R1.3 every GNU Mach kernel of Debian by every Multiboot protocol that it offers.
import { testMach } from "./mach.js";

testMach("gnumach-amd64", "multiboot1", 64);
testMach("gnumach", "multiboot1", 32);
for (const loader of ["multiboot2", "multiboot1"]) {
  testMach("gnumach-pae", loader, 32);
  testMach("gnumach-smp", loader, 32, 2);
}
