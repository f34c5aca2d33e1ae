// R1.3 GNU Mach for amd64 (ELF64) by both Multiboot protocols; what it does not offer is refused.
import { testMach, testMachRefusals } from "./mach.js";

testMach("gnumach-amd64", "multiboot2", 64);
testMachRefusals("gnumach-amd64", ["multiboot2"]);
testMachRefusals("gnumach", []);
