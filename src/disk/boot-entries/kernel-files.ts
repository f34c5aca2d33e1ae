/**
 * A kernel by its file name, where no boot loader's configuration names one: what Debian's links point to, else the highest version,
 * and the initrd that is named after it.
 */
import { volumeName } from "../disk.js";
import {
  lookUp,
  namesIn,
  type BootEntry,
  type PlacedFile,
  type ReadableVolume,
  type Search,
} from "./entry.js";
import { compareVersions } from "./version-order.js";

const LINKS: readonly (readonly [kernel: string, initrd: string])[] = [
  ["/vmlinuz", "/initrd.img"],
  ["/boot/vmlinuz", "/boot/initrd.img"],
];
const FOLDERS = ["/boot", "/"];
const KERNEL = /^(?:vmlinuz|vmlinux|bzImage|kernel)-(.+)$/;
/** Kernels that only rescue, and what is no kernel. */
const LEFT_OUT = /rescue|\.(old|bak|sig|hmac|dpkg-\w+|efi\.signed)$/;

/** What initrds of a version are called by Debian, Fedora, Arch and Alpine, SUSE. */
function initrdNames(version: string): string[] {
  return [
    ...[`initrd.img-${version}`, `initramfs-${version}.img`, `initramfs-${version}`],
    ...[`initrd-${version}.img`, `initrd-${version}`],
  ];
}

/** The kernel by its name; undefined where there is none. */
export function findKernelFiles(search: Search): BootEntry | undefined {
  for (const volume of search.volumes) {
    const found = byLinks(search, volume) ?? byVersion(search, volume);
    if (found !== undefined) return found;
  }
  return undefined;
}

function placed(search: Search, volume: ReadableVolume, path: string): PlacedFile | undefined {
  const file = lookUp(search, volume, path);
  return file?.kind === "file" ? { volume: volume.volume, file } : undefined;
}

function byLinks(search: Search, volume: ReadableVolume): BootEntry | undefined {
  for (const [kernelPath, initrdPath] of LINKS) {
    const kernel = placed(search, volume, kernelPath);
    if (kernel === undefined) continue;
    const initrd = placed(search, volume, initrdPath);
    return {
      title: kernel.file.path,
      kernel,
      initrds: initrd === undefined ? [] : [initrd],
      options: undefined,
      why: `${kernelPath} of ${volumeName(volume.volume)}`,
    };
  }
  return undefined;
}

function byVersion(search: Search, volume: ReadableVolume): BootEntry | undefined {
  for (const folder of FOLDERS) {
    const names = namesIn(search, volume, folder);
    const versions = names
      .map((name) => ({ name, version: KERNEL.exec(name)?.[1] ?? "" }))
      .filter(({ name, version }) => version !== "" && !LEFT_OUT.test(name))
      .sort((a, b) => compareVersions(b.version, a.version));
    for (const { name, version } of versions) {
      const base = folder === "/" ? "" : folder;
      const kernel = placed(search, volume, `${base}/${name}`);
      if (kernel === undefined) continue;
      const present = new Set(names);
      const initrdName = initrdNames(version).find((one) => present.has(one));
      const initrd = initrdName && placed(search, volume, `${base}/${initrdName}`);
      return {
        title: `${base}/${name}`,
        kernel,
        initrds: initrd ? [initrd] : [],
        options: undefined,
        why: `the highest version in ${folder} of ${volumeName(volume.volume)}`,
      };
    }
  }
  return undefined;
}
