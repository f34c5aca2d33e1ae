/**
 * A disk that boots to `login:`: GPT, and on it an ext4 file system that mke2fs makes of a folder, with Debian's cloud kernel, an
 * initramfs that finds the root by its PARTUUID, and busybox as all of its programs.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { initramfsBytes } from "../../src/guests/index.js";
import { composed, writeGpt } from "./disk-images.js";
import { emptyFile, run, scratch } from "./disk-tools.js";
import { WITHOUT_CRYPTO_TESTS } from "./kernel-boot.js";
import { kernelModules, VIRTIO_MODULES } from "./kernel-modules.js";
import { requireGuest, requireTool } from "./requires.js";

const MIB = 2 ** 20;
const SECTOR = 512;
const LINUX_DATA = "0fc63daf-8483-4772-8e79-3d69d8477de4";
/** In front of the partition and behind it, where a GPT lies. */
const MARGIN = MIB;
const SMALL_FILE_SYSTEM = 48 * MIB;
const JOURNAL_MIB = 4;
const PROGRAM_MODE = 0o755;
export const ROOT_PASSWORD = "locore";
/** `openssl passwd -5 -salt locore locore` */
const PASSWORD_HASH = "$5$locore$J.AQN/Yls4vnOrMfqVhrI2GeXHkZejenQsWTHF8Pga6";

/** For the initramfs: loads the disk's driver and goes on in the root that the command line names. */
const INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox ln -s busybox /bin/mount
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for name in find insmod cat dd hexdump switch_root; do /bin/busybox ln -s busybox /bin/$name; done
LOAD
init=/sbin/init
mode=ro
for word in $(cat /proc/cmdline); do
  case $word in
    root=PARTUUID=*) wanted=\${word#root=PARTUUID=} ;;
    init=*) init=\${word#init=} ;;
    rw) mode=rw ;;
  esac
done
# Entry n of a GPT lies at 1024 + 128 · (n - 1) on the usual disk, its GUID 16 bytes in.
for place in /sys/class/block/*/partition; do
  device=\${place%/partition}
  disk=\${device##*/}; disk=/dev/\${disk%%[0-9]*}
  at=$((64 + 8 * ($(cat $place) - 1) + 1))
  uuid=$(dd if=$disk bs=16 skip=$at count=1 2>/dev/null | hexdump -e '1/4 "%08x-" 2/2 "%04x-" 2/1 "%02x" "-" 6/1 "%02x"')
  [ "$uuid" = "$wanted" ] && root=/dev/\${device##*/}
done
mount -t ext4 -o $mode $root /mnt || exec sh
for each in proc sys dev; do mount --move /$each /mnt/$each; done
exec switch_root /mnt $init
`;

const INITTAB = `::sysinit:/etc/rc
ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
`;

export const RECORDS_BEGIN = "records begin";
/** Writes records until it is killed; a number is on the console once its record is on the disk. */
const RECORDS = `#!/bin/sh
echo "${RECORDS_BEGIN}"
number=1
while :; do
  yes "record $number" | head -n $((number % 200 + 1)) | dd of=/records/$number conv=fsync 2>/dev/null && echo "flushed $number"
  number=$((number + 1))
done
`;

const FOLDERS = ["bin", "sbin", "etc", "root", "proc", "sys", "dev", "tmp", "mnt", "boot", "records"];
/** What is busybox's here. */
const LINKS = [
  ...[
    "bin/sh",
    "bin/login",
    "bin/hostname",
    "bin/dd",
    "bin/cat",
    "bin/head",
    "bin/yes",
    "bin/sha256sum",
    "bin/blkdiscard",
  ],
  ...["sbin/init", "sbin/getty", "sbin/reboot", "sbin/poweroff", "bin/umount"],
];

/** What `RECORDS` writes into the record of a number. */
export function recordText(number: number): string {
  return `record ${number}\n`.repeat((number % 200) + 1);
}

/** The kernel's words on this disk, but for the console, which is up to the monitor. */
const WORDS = `rw quiet ${WITHOUT_CRYPTO_TESTS}`;

/** Words for --append with which the guest does nothing but write records, read-write on its root, behind the line `RECORDS_BEGIN`. */
export const RECORDS_LINE = `console=ttyS0 ${WORDS} init=/sbin/records`;

function writeTree(
  folder: string,
  busybox: string,
  boot: Readonly<Record<string, string | Uint8Array>>,
): void {
  for (const one of FOLDERS) mkdirSync(path.join(folder, one), { recursive: true });
  const put = (inside: string, bytes: string | Uint8Array, mode?: number): void => {
    const file = path.join(folder, inside);
    writeFileSync(file, bytes);
    if (mode !== undefined) chmodSync(file, mode);
  };
  copyFileSync(busybox, path.join(folder, "bin/busybox"));
  chmodSync(path.join(folder, "bin/busybox"), PROGRAM_MODE);
  for (const link of LINKS) symlinkSync("/bin/busybox", path.join(folder, link));
  put("etc/inittab", INITTAB);
  put("etc/rc", "#!/bin/sh\nhostname small\n", PROGRAM_MODE);
  put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  put("etc/shadow", `root:${PASSWORD_HASH}:19000:0:99999:7:::\n`);
  put("etc/group", "root:x:0:\n");
  put("sbin/records", RECORDS, PROGRAM_MODE);
  for (const [name, bytes] of Object.entries(boot)) put(`boot/${name}`, bytes);
}

/** A GPT disk with one file system of Linux. */
export function gptDisk(fileSystem: Uint8Array, guid: string): Uint8Array {
  const disk = composed(fileSystem.length + 2 * MARGIN, [[MARGIN, fileSystem]]);
  const first = MARGIN / SECTOR;
  const last = first + fileSystem.length / SECTOR - 1;
  writeGpt(disk, [{ type: LINUX_DATA, guid, first, last, name: "root" }]);
  return disk;
}

/** The image as a file that is gone after the test, or undefined after the test was skipped. */
export async function smallLoginImage(t: TestContext): Promise<string | undefined> {
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = kernel && (await requireGuest(t, "busybox"));
  const modules = busybox && (await kernelModules(t, "debian-cloud", [...VIRTIO_MODULES, "virtio_blk"]));
  if (kernel === undefined || busybox === undefined || modules === undefined) return undefined;
  const program = busybox.files["busybox"];
  const init = new TextEncoder().encode(INIT.replace("LOAD", modules.load));
  const initrd = await initramfsBytes({
    busybox: program,
    packages: modules.packages,
    files: [
      { to: "/init", bytes: init, mode: PROGRAM_MODE },
      { to: "/mnt/.keep", bytes: new Uint8Array() },
    ],
  });
  const guid = randomUUID();
  const folder = scratch(t);
  const tree = path.join(folder, "tree");
  writeTree(tree, program, {
    vmlinuz: readFileSync(kernel.files["kernel"]),
    "initrd.img": initrd,
    "extlinux.conf": `default small\nlabel small\n  kernel /boot/vmlinuz\n  initrd /boot/initrd.img\n  append root=PARTUUID=${guid} ${WORDS}\n`,
  });
  const fileSystem = emptyFile(folder, "root.ext4", SMALL_FILE_SYSTEM);
  const made = run(t, "mke2fs", [
    ...["-q", "-t", "ext4", "-J", `size=${JOURNAL_MIB}`, "-E", "root_owner=0:0", "-d", tree, fileSystem],
  ]);
  if (made === undefined) return undefined;
  const image = path.join(folder, "small.img");
  writeFileSync(image, gptDisk(readFileSync(fileSystem), guid));
  return image;
}

/** What e2fsck says of the file system of a raw image, and its status; `undefined` after a skip. */
export function checkFileSystem(
  t: TestContext,
  image: string,
  how: readonly string[],
): { status: number | null; text: string } | undefined {
  const e2fsck = requireTool(t, "e2fsck");
  if (e2fsck === undefined) return undefined;
  const { status, stdout, stderr } = spawnSync(e2fsck, [...how, `${image}?offset=${MARGIN}`], {
    encoding: "utf8",
  });
  return { status, text: `${stdout}${stderr}` };
}
