/**
 * Disks that somebody has damaged: tables, superblocks, folders, boot loaders' configurations (R3.6). Whatever is changed, all that can
 * be asked of a disk comes to an end without another exception than BlockError, and nothing large is read.
 */
import assert from "node:assert/strict";
import { BlockError } from "../../src/block/block-error.js";
import type { BlockSource } from "../../src/block/backend.js";
import { rootWords } from "../../src/boot/disk-root.js";
import { loadFromDisk, NothingToBoot } from "../../src/disk/boot-entries/load.js";
import { diskFacts, readDisk } from "../../src/disk/disk.js";
import {
  composed,
  extImage,
  fatImage,
  patched,
  writeDisklabel,
  writeGpt,
  writeMbr,
  type Files,
} from "../support/disk-images.js";
import { Random } from "../support/random.js";

const MIB = 2 ** 20;
const KERNEL = new Uint8Array(20_000).fill(0x6b);
const LARGEST_FILE = 65536;
/** Reads of one disk: far more than a disk that is whole needs. */
const MOST_READS = 200_000;

const GRUB = `if [ -s $prefix/grubenv ]; then load_env; fi
set default="0"
function load_video { insmod all_video; }
menuentry 'Debian' --class debian $menuentry_id_option 'x' {
  load_video
  if [ x$feature_platform_search_hint = xy ]; then search --no-floppy --fs-uuid --set=root 00112233-4455-6677-8899-aabbccddeeff; fi
  linux /boot/vmlinuz-6.1 root=/dev/vda2 "quiet"
  initrd /boot/initrd.img-6.1
}
submenu 'more' { menuentry 'other' { linux ($root)/boot/vmlinuz-6.1 single
} }
`;
const ROOT: Files = {
  "/etc/fstab": "x",
  "/sbin/init": "x",
  "/vmlinuz": { link: "boot/vmlinuz-6.1" },
  "/boot/vmlinuz-6.1": KERNEL,
  "/boot/initrd.img-6.1": "initrd",
  "/boot/grub/grub.cfg": GRUB,
  "/boot/grub/grubenv": "# GRUB Environment Block\nsaved_entry=x\n####",
};
const ESP: Files = {
  "/loader/loader.conf": "default deb*\n",
  "/loader/entries/debian-6.1+3-1.conf":
    "title Debian\nversion 6.1\nsort-key debian\nlinux /LINUX\ninitrd /INITRD\noptions quiet\n",
  "/loader/entries/b.conf": "title B\nlinux /nothing\n",
  "/LINUX": "kernel",
  "/INITRD": "initrd",
};
const SYSLINUX: Files = {
  "/syslinux/syslinux.cfg":
    "DEFAULT l\nINCLUDE more.cfg\nLABEL l\n MENU DEFAULT\n KERNEL ../LINUX\n APPEND initrd=/INITRD root=/dev/vda\n",
  "/syslinux/more.cfg": "INCLUDE syslinux.cfg\n",
  "/LINUX": "kernel",
  "/INITRD": "initrd",
};

const LINUX_TYPE = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const GUID = "01234567-89ab-cdef-0123-456789abcdef";

function gptDisk(): Uint8Array {
  const esp = fatImage(ESP);
  const root = extImage(ROOT, { extents: true });
  const disk = composed(MIB / 2, [
    [8 * 512, esp],
    [400 * 512, root],
  ]);
  writeGpt(disk, [
    { type: ESP_TYPE, guid: GUID, first: 8, last: 399, name: "ESP" },
    { type: LINUX_TYPE, guid: GUID, first: 400, last: 800, name: "root" },
  ]);
  return disk;
}

function mbrDisk(): Uint8Array {
  const disk = composed(MIB / 2, [
    [8 * 512, fatImage(SYSLINUX)],
    [301 * 512, extImage(ROOT)],
  ]);
  writeMbr(disk, [
    { type: 0x0c, first: 8, count: 280, active: true },
    { type: 0x05, first: 300, count: 400 },
    { type: 0xa5, first: 800, count: 200 },
  ]);
  writeMbr(
    disk,
    [
      { type: 0x83, first: 1, count: 300 },
      { type: 0x05, first: 350, count: 40 },
    ],
    300,
  );
  writeMbr(disk, [{ type: 0x82, first: 1, count: 30 }], 650);
  writeDisklabel(disk, 800 * 512, [
    { offset: 0, size: 100, type: 7 },
    { offset: 100, size: 50, type: 1 },
    { offset: 0, size: 200, type: 0 },
  ]);
  return disk;
}

/** The disks to damage, and where in each what is read lies. */
export function goodDisks(): Uint8Array[] {
  return [
    gptDisk(),
    mbrDisk(),
    extImage(ROOT),
    extImage(ROOT, { extents: true }),
    fatImage(SYSLINUX),
    fatImage(ESP, { bits: 16 }),
  ];
}

const VALUES = [0, 1, 2, 3, 7, 0x0a, 0x20, 0x7f, 0x80, 0xee, 0xfe, 0xff];

/** The bytes that are not zero: changing padding finds little. */
function interesting(disk: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = 0; at < disk.length; at++) {
    if (disk[at] !== 0 && disk[at] !== KERNEL[0]) places.push(at);
  }
  return places;
}

function damaged(disk: Uint8Array, places: readonly number[], random: Random): BlockSource {
  const patches = new Map<number, number>();
  const count = 1 + random.below(6);
  for (let i = 0; i < count; i++) {
    const at = Math.min(disk.length - 1, random.pick(places) + (random.below(3) === 0 ? random.below(8) : 0));
    const value = random.below(2) === 0 ? random.pick(VALUES) : disk[at] ^ (1 << random.below(8));
    patches.set(at, value);
    // Numbers that are far too large.
    if (random.below(4) === 0)
      for (let j = 1; j < 4; j++) patches.set(Math.min(disk.length - 1, at + j), 0xff);
  }
  const size = random.below(10) === 0 ? random.below(disk.length / 512) * 512 : disk.length;
  return patched(disk, patches, size);
}

/** Asks all there is to ask. True where something would be booted. */
function boots(source: BlockSource): boolean {
  let reads = 0;
  const counted: BlockSource = {
    size: source.size,
    read(offset, into) {
      assert.ok(++reads <= MOST_READS, "reading does not end");
      assert.ok(into.length <= 4 * MIB, `${into.length} bytes read at once`);
      source.read(offset, into);
    },
  };
  const disk = readDisk(counted);
  diskFacts(disk);
  rootWords(disk);
  try {
    loadFromDisk(disk, LARGEST_FILE);
    return true;
  } catch (error) {
    assert.ok(error instanceof NothingToBoot || error instanceof BlockError, String((error as Error).stack));
    return false;
  }
}

/** Tries `count` disks; how many still boot. */
export function fuzzDisks(seed: number, count: number): number {
  const random = new Random(seed);
  const disks = goodDisks().map((disk) => ({ disk, places: interesting(disk) }));
  for (const { disk } of disks) assert.ok(boots(patched(disk, new Map())), "a disk that is whole boots");
  let booted = 0;
  for (let i = 0; i < count; i++) {
    const { disk, places } = random.pick(disks);
    try {
      if (boots(damaged(disk, places, random))) booted++;
    } catch (error) {
      throw new Error(`case ${i} of seed ${seed}: ${String((error as Error).stack)}`, { cause: error });
    }
  }
  return booted;
}
