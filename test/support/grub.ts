/**
 * Images of GRUB, made by its own grub-mkimage from Debian's packages on this host's processor, in a root of their own.
 * For tests that need a second boot loader, or GRUB as a guest.
 */
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import type { AddedFile } from "../../src/guests/index.js";
import { outputOnHost, softwareRoot } from "./software.js";

export interface GrubImage {
  /** grub-mkimage's name of the format. */
  format: "i386-pc" | "i386-coreboot" | "i386-xen_pvh";
  /** What an i386-pc image is put behind: "disk", the default, or "linux", the head of a Linux kernel. */
  head?: "disk" | "linux";
  /** GRUB's modules that are built in. */
  modules: readonly string[];
  /** Commands run at the start. */
  config: string;
  /** Files that GRUB finds under (memdisk)/. */
  files?: Readonly<Record<string, Uint8Array>>;
}

const PLATFORM_PACKAGES: Readonly<Record<GrubImage["format"], string>> = {
  "i386-pc": "grub-pc-bin",
  "i386-coreboot": "grub-coreboot-bin",
  "i386-xen_pvh": "grub-xen-bin",
};
const FOLDER = "/grub";
const SECTOR = 512;

/** For i386-pc a disk image or an "lkrn"; otherwise what grub-mkimage makes. Undefined after the test was skipped. */
export async function grubImage(t: TestContext, image: GrubImage): Promise<Uint8Array | undefined> {
  const contents = Object.entries({ ...image.files, "grub.cfg": new TextEncoder().encode(image.config) });
  const files = contents.map(([name, bytes]): AddedFile => ({ to: `${FOLDER}/${name}`, bytes }));
  const head = image.head === "linux" ? "lnxboot.img" : "boot.img";
  const disk = image.format === "i386-pc" ? `cat /usr/lib/grub/i386-pc/${head} core` : "cat core";
  const script = `
cd ${FOLDER}
busybox tar -cf disk.tar ${contents.map(([name]) => name).join(" ")}
grub-mkimage -O ${image.format} -o core -p /boot -m disk.tar -c grub.cfg memdisk tar ${image.modules.join(" ")}
${disk} | busybox base64
`;
  const packages = ["grub-common", PLATFORM_PACKAGES[image.format]];
  const root = await softwareRoot(t, { packages, files, script });
  const output = root && (await outputOnHost(t, root));
  if (output === undefined) return undefined;
  const bytes = Buffer.from(output, "base64");
  const padded = new Uint8Array(Math.ceil(bytes.length / SECTOR) * SECTOR);
  padded.set(bytes);
  return padded;
}

/** The serial output of a BIOS machine of QEMU that boots from this disk until it exits by port 0xf4. */
export function bootDiskInQemu(qemu: string, disk: string, limitMs: number): string {
  const machine = ["-display", "none", "-serial", "stdio", "-no-reboot", "-m", "64", "-accel", "tcg"];
  const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
  const drive = ["-drive", `format=raw,file=${disk}`];
  return spawnSync(qemu, [...machine, ...exit, ...drive], { encoding: "latin1", timeout: limitMs }).stdout;
}
