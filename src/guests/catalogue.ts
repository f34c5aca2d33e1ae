/**
 * The guests that can be fetched: what each is, where it comes from, how it is verified, its licence, what it
 * shows. Data only; `pull.ts` fetches.
 */
import type { AptTarget } from "./apt.js";

/** One guest of the catalogue. */
export interface CatalogueEntry {
  name: string;
  /** What it is, in a line. */
  what: string;
  source: string;
  verified: string;
  licence: string;
  /** What booting it shows. */
  shows: string;
  target: AptTarget;
  /** The package to ask for. */
  package: string;
  /** Set when `package` only depends on the real one: what that one is called. */
  dependsOn?: RegExp;
  /** The files taken from the package, by role; patterns on paths without a leading slash. */
  files: Readonly<Record<string, RegExp>>;
}

const SOURCE = "Debian 12 (bookworm), through this host's apt-get, mirrors and keys";
const SOURCE_13 = "Debian 13 (trixie), through this host's apt-get, mirrors and keys";
const VERIFIED =
  "apt checks the package against the archive's signed index; the cache is checked by SHA-256 on every use";
const KERNEL_LICENCE =
  "GPL-2.0-only WITH Linux-syscall-note (some files under other GPL-compatible licences)";
const KERNEL_FILES = { kernel: /^boot\/vmlinuz-/, config: /^boot\/config-/ };
const AMD64: AptTarget = { release: "bookworm", architecture: "amd64" };
const I386: AptTarget = { release: "bookworm", architecture: "i386" };
const AMD64_13: AptTarget = { release: "trixie", architecture: "amd64" };
const BUSYBOX_FILES = { busybox: /^(usr\/)?bin\/busybox$/ };

/** Every guest, in the order they are listed. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: "debian-cloud",
    what: "Debian's kernel for cloud machines (Linux 6.1, bzImage, lz4 payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "Linux by the 64-bit, 32-bit and PVH entries, to a shell on the serial console",
    target: AMD64,
    package: "linux-image-cloud-amd64",
    dependsOn: /^linux-image-\d\S*-cloud-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-13-cloud",
    what: "Debian 13's kernel for cloud machines (Linux 6.12, bzImage, zstd payload)",
    source: SOURCE_13,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a newer Linux: what two years of kernel changes ask of a machine",
    target: AMD64_13,
    package: "linux-image-cloud-amd64",
    dependsOn: /^linux-image-\d\S*-cloud-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-amd64",
    what: "Debian's generic kernel (Linux 6.1, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a kernel with drivers for everything: probes of absent devices, the MP table, an xz payload",
    target: AMD64,
    package: "linux-image-amd64",
    dependsOn: /^linux-image-\d\S*-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-686-pae",
    what: "Debian's 32-bit kernel with PAE (Linux 6.1, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a 32-bit kernel: protected mode, PAE paging, the 32-bit entry",
    target: I386,
    package: "linux-image-686-pae",
    dependsOn: /^linux-image-\d\S*-686-pae$/,
    files: KERNEL_FILES,
  },
  {
    name: "busybox",
    what: "one static program that is a shell and some 270 Unix tools",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "user space: what locore's initramfs is made from",
    target: AMD64,
    package: "busybox-static",
    files: BUSYBOX_FILES,
  },
  {
    name: "busybox-i386",
    what: "the same for 32-bit kernels",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "32-bit user space",
    target: I386,
    package: "busybox-static",
    files: BUSYBOX_FILES,
  },
];
