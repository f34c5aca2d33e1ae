/** Debian's other kernels as they are: each unpacks its payload itself, xz with the x86 filter or zstd. */
import { testKernel } from "./x86-64-kernels.js";

for (const guest of ["debian-amd64", "debian-13-cloud", "debian-sid-cloud", "debian-rt"] as const) {
  testKernel("R1.2 by the 64-bit entry", guest, {});
  testKernel("R1.2 by the 32-bit entry", guest, { entry: "32" });
}

// Unpacked on the host; `x86-64-kernels.test.ts` has the others.
testKernel("R2.1 through PVH", "debian-sid-cloud", { name: "pvh" });
testKernel("R1.2 by the 64-bit ELF protocol", "debian-sid-cloud", { name: "elf64" });
