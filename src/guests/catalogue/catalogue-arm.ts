/** The guests for ARM machines: for tests of converted kernels, in QEMU. Data only. */
import type { AptTarget } from "../apt/apt.js";
import {
  AMD64,
  KERNEL_FILES,
  KERNEL_LICENCE,
  SOURCE,
  VERIFIED,
  XEN_LICENCE,
  type CatalogueEntry,
} from "./catalogue-entry.js";

const ARM64: AptTarget = { release: "bookworm", architecture: "arm64" };
const ARMHF: AptTarget = { release: "bookworm", architecture: "armhf" };

/** In the order they are listed. */
export const ARM_GUESTS: readonly CatalogueEntry[] = [
  {
    name: "xen-arm64",
    what: "the Xen 4.17 hypervisor for 64-bit ARM (arm64 Image)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "what converted ARM kernels are for: guests of a real Xen, in QEMU",
    target: ARM64,
    package: "xen-hypervisor-4.17-arm64",
    files: { kernel: /^boot\/xen-[\d.]+-arm64$/ },
  },
  {
    name: "xen-armhf",
    what: "the same for 32-bit ARM (zImage)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "the same on 32-bit ARM",
    target: ARMHF,
    package: "xen-hypervisor-4.17-armhf",
    files: { kernel: /^boot\/xen-[\d.]+-armhf$/ },
  },
  {
    name: "debian-armmp",
    what: "Debian's kernel for 32-bit ARM (Linux 6.1, zImage)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a real zImage, unwrapped and converted again",
    target: ARMHF,
    package: "linux-image-armmp",
    dependsOn: /^linux-image-\d\S*-armmp$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-cloud-arm64",
    what: "Debian's cloud kernel for 64-bit ARM (Linux 6.1, arm64 Image)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a real arm64 Image, unwrapped and converted again",
    target: ARM64,
    package: "linux-image-cloud-arm64",
    dependsOn: /^linux-image-\d\S*-cloud-arm64$/,
    files: KERNEL_FILES,
  },
  {
    name: "u-boot-arm",
    what: "U-Boot for QEMU's virt machine, 32-bit ARM",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "converted kernels started by bootz",
    target: AMD64,
    package: "u-boot-qemu",
    files: { bios: /^usr\/lib\/u-boot\/qemu_arm\/u-boot\.bin$/ },
  },
  {
    name: "u-boot-arm64",
    what: "the same for 64-bit ARM",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "converted kernels started by booti",
    target: AMD64,
    package: "u-boot-qemu",
    files: { bios: /^usr\/lib\/u-boot\/qemu_arm64\/u-boot\.bin$/ },
  },
];
