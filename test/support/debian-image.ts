/**
 * An image of Debian that nobody needs to be root for: packages are fetched and unpacked here, and configured by dpkg in a guest of
 * ours, on the very disk that boots afterwards. Made once, then in the cache by what went into it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TestContext } from "node:test";
import { defaultCacheFolder, type PackageSet } from "../../src/guests/index.js";
import { writeCpio, type CpioEntry } from "../../src/guests/archives/cpio.js";
import { controlOfDeb } from "../../src/guests/archives/deb.js";
import { FileTree } from "../../src/guests/initramfs/file-tree.js";
import { initramfsEntries } from "../../src/guests/initramfs/initramfs.js";
import { addPackages } from "../../src/guests/initramfs/package-files.js";
import { scratch } from "./disk-tools.js";
import { locore } from "./kernel-files.js";
import { WITHOUT_CRYPTO_TESTS } from "./kernel-boot.js";
import { gptDisk, ROOT_PASSWORD } from "./login-image.js";
import { requireGuest, requirePackages } from "./requires.js";

const MIB = 2 ** 20;
const FILE_SYSTEM_SIZE = 768 * MIB;
/** Part of what the cache knows an image by, as the PARTUUID is in its fstab. */
const GUID = "6c6f636f-7265-4465-6269-616e00000001";
const TIME_LIMIT_S = 1500;

/** Debian's essential packages, and what a system on a disk of its own has besides. */
const PACKAGES = [
  ...[
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
  ],
  ...[
    "grep",
    "gzip",
    "hostname",
    "init-system-helpers",
    "libc-bin",
    "login",
    "mawk",
    "ncurses-base",
    "ncurses-bin",
  ],
  ...[
    "perl-base",
    "sed",
    "sysvinit-utils",
    "tar",
    "util-linux",
    "mount",
    "passwd",
    "debconf",
    "adduser",
    "sensible-utils",
  ],
  ...[
    "ucf",
    "sysvinit-core",
    "initscripts",
    "insserv",
    "startpar",
    "udev",
    "kmod",
    "e2fsprogs",
    "iproute2",
    "procps",
  ],
  ...["initramfs-tools", "linux-base", "linux-image-cloud-amd64"],
];

const FSTAB = `PARTUUID=${GUID} / ext4 errors=remount-ro 0 1\n`;
const GETTY = "T0:23:respawn:/sbin/getty -L ttyS0 115200 vt100\n";

/** For the guest: makes the file system, copies the tree with its owners, lets dpkg configure it. */
const SCRIPT = `set -e
for name in virtio_ring virtio virtio_mmio virtio_blk; do
  module=$(find /tree/usr/lib/modules -name $name.ko); [ -z "$module" ] || insmod $module
done
mount -t tmpfs tmpfs /tree/run
mount -o bind /dev /tree/dev
chroot /tree /sbin/mke2fs -q -t ext4 /dev/vda1
umount /tree/dev /tree/run
mkdir -p /target && mount -t ext4 /dev/vda1 /target
echo "locore: copying"
cp -a /tree/. /target/
cd /target
[ -e usr/bin/sh ] || ln -s dash usr/bin/sh
[ -e usr/bin/awk ] || ln -s mawk usr/bin/awk
chmod 1777 tmp
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d; chmod 755 usr/sbin/policy-rc.d
mount -o bind /dev dev; mount -t proc proc proc; mount -t sysfs sysfs sys; mount -t tmpfs tmpfs run
cat >configure <<'END'
set -e
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_ARCH=amd64 DPKG_RUNNING_VERSION=1.21.22
for script in /var/lib/dpkg/info/*.preinst; do
  name=\${script##*/}; name=\${name%.preinst}
  echo "locore: preinst $name"
  DPKG_MAINTSCRIPT_PACKAGE=\${name%:*} $script install
done
unset DPKG_MAINTSCRIPT_NAME DPKG_MAINTSCRIPT_ARCH
ldconfig
dpkg --force-depends --configure base-passwd base-files libc6 perl-base mawk debconf
dpkg --configure -a
dpkg --audit
echo root:${ROOT_PASSWORD} | chpasswd
ls -l /boot
END
chroot . /bin/bash /configure
rm configure usr/sbin/policy-rc.d
printf '${GETTY.trim()}\\n' >>etc/inittab
cd /
umount /target/run /target/sys /target/proc /target/dev /target
`;

const utf8 = new TextDecoder();
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function file(inside: string, bytes: Uint8Array, mode = 0o644): CpioEntry {
  return { kind: "file", path: inside, mode, size: bytes.length, content: () => [bytes] };
}

/** dpkg's word on a package of which the files are there and nothing has been configured. */
function unpackedStanza(control: string, conffiles: readonly string[], contents: FileTree): string {
  const sums = conffiles.flatMap((name) => {
    const entry = contents.at(name.slice(1));
    if (entry?.kind !== "file") return [];
    const hash = createHash("md5");
    for (const chunk of entry.content() as Iterable<Uint8Array>) hash.update(chunk);
    return [` ${name} ${hash.digest("hex")}`];
  });
  const lines = control.trimEnd().split("\n");
  const more = sums.length === 0 ? [] : ["Conffiles:", ...sums];
  return [lines[0], "Status: install ok unpacked", ...lines.slice(1), ...more, ""].join("\n");
}

/** Every package as dpkg would have left it behind `dpkg --unpack`. */
async function unpacked(set: PackageSet): Promise<CpioEntry[]> {
  const tree = new FileTree();
  await addPackages(tree, set);
  const status: string[] = [];
  for (const one of set.packages) {
    const own = new FileTree();
    await addPackages(own, { ...set, packages: [one] });
    const control = new Map<string, { bytes: Uint8Array; mode: number }>();
    for (const { kind, path: stored, bytes, mode } of controlOfDeb(readFileSync(one.file)))
      if (kind === "file") control.set(path.posix.basename(stored), { bytes, mode });
    const text = utf8.decode(control.get("control")?.bytes);
    const name = /^Multi-Arch: same$/m.test(text) ? `${one.name}:${set.architecture}` : one.name;
    const conffiles = utf8
      .decode(control.get("conffiles")?.bytes)
      .split("\n")
      .filter((line) => line.startsWith("/"));
    status.push(unpackedStanza(text, conffiles, own));
    const list = ["/.", ...own.sorted().map((entry) => `/${entry.path}`), ""].join("\n");
    tree.add(file(`var/lib/dpkg/info/${name}.list`, bytesOf(list)));
    for (const [kind, { bytes, mode }] of control)
      if (kind !== "control") tree.add(file(`var/lib/dpkg/info/${name}.${kind}`, bytes, mode));
  }
  tree.add(file("var/lib/dpkg/status", bytesOf(status.join("\n"))), "replace");
  tree.add(file("var/lib/dpkg/available", bytesOf("")));
  tree.add(file("var/lib/dpkg/info/format", bytesOf("1\n")));
  tree.add(file("etc/fstab", bytesOf(FSTAB)));
  tree.add(file("etc/hostname", bytesOf("debian\n")));
  tree.add(file("etc/kernel-img.conf", bytesOf("do_symlinks = yes\nlink_in_boot = no\n")));
  // By its default an initramfs has the modules of any machine.
  tree.add(file("etc/initramfs-tools/conf.d/modules", bytesOf("MODULES=list\n")));
  tree.add(file("etc/initramfs-tools/modules", bytesOf("virtio_mmio\nvirtio_blk\n")), "replace");
  for (const folder of [
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "root",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "var/lib/dpkg/parts",
  ])
    if (tree.at(folder) === undefined) tree.add({ kind: "directory", path: folder, mode: 0o755 });
  return tree.sorted();
}

async function make(
  t: TestContext,
  set: PackageSet,
  kernel: string,
  busybox: string,
  image: string,
): Promise<void> {
  const folder = scratch(t);
  const base = await initramfsEntries({ busybox, command: SCRIPT });
  const inside = (await unpacked(set)).map((entry): CpioEntry => ({ ...entry, path: `tree/${entry.path}` }));
  const initrd = path.join(folder, "packages.cpio");
  const entries: CpioEntry[] = [...base, { kind: "directory", path: "tree", mode: 0o755 }, ...inside];
  await pipeline(Readable.from(writeCpio(entries)), createWriteStream(initrd));
  const half = path.join(path.dirname(image), `making-${process.pid}.img`);
  t.after(() => rmSync(half, { force: true }));
  writeFileSync(half, gptDisk(new Uint8Array(FILE_SYSTEM_SIZE), GUID));
  const machine = locore([
    ...[
      "boot",
      kernel,
      "--initrd",
      initrd,
      "--disk",
      `${half},rw`,
      "-m",
      "1536M",
      "--timeout",
      String(TIME_LIMIT_S),
    ],
    ...["--append", `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`],
  ]).during(t);
  machine.child.stdin.end();
  const { out, err, status } = await machine.ended;
  assert.match(out, /^locore: exit 0\r?$/m, `${out.slice(-4000)}${err}`);
  assert.equal(status, 0);
  renameSync(half, image);
}

/** Debian on a disk, read only to callers: they copy it or put something over it. Undefined after the test was skipped. */
export async function debianImage(t: TestContext): Promise<string | undefined> {
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = kernel && (await requireGuest(t, "busybox"));
  const set = busybox && (await requirePackages(t, { packages: PACKAGES }));
  if (kernel === undefined || busybox === undefined || set === undefined) return undefined;
  const hash = createHash("sha256").update(SCRIPT).update(FSTAB).update(String(FILE_SYSTEM_SIZE));
  for (const { sha256 } of set.packages) hash.update(sha256);
  const folder = path.join(defaultCacheFolder(), "images");
  const image = path.join(folder, `${hash.digest("hex")}.img`);
  if (!existsSync(image)) {
    mkdirSync(folder, { recursive: true });
    await make(t, set, kernel.files["kernel"], busybox.files["busybox"], image);
  }
  return image;
}
