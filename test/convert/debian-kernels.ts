/** Debian's unmodified kernels for ARM, how they are told where their console is, and how far they come. Runs nothing. */

/** The end of a boot without a root file system. */
export const NO_ROOT = /Kernel panic - not syncing: VFS: Unable to mount root fs[^\n]*\n/;
/** Command lines: for a guest of Xen, and for QEMU's virt machine. */
export const CONSOLE = {
  xen: "console=ttyAMA0 earlycon=pl011,0x22000000",
  qemu: "console=ttyAMA0 earlycon=pl011,0x9000000",
} as const;

/** By their names in the catalogue. */
export const KERNELS = [
  { guest: "debian-armmp", bits: 32, to: "zimage" },
  { guest: "debian-cloud-arm64", bits: 64, to: "arm64-image" },
] as const;
