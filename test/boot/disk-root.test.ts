/** Which words name a disk's root file system to a kernel, and when they are added (R3.6). */
import assert from "node:assert/strict";
import test from "node:test";
import { diskWords, type DiskHints } from "../../src/boot/disk-words.js";
import { rootWords, type DiskRoots } from "../../src/boot/disk-root.js";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import type { KernelSystem } from "../../src/formats/elf/system.js";
import { readDisk } from "../../src/disk/disk.js";
import { memorySource } from "../../src/disk/source.js";
import {
  composed,
  extImage,
  fatImage,
  writeDisklabel,
  writeGpt,
  writeMbr,
  type Files,
} from "../support/disk-images.js";
import { makeBzImage } from "../support/images.js";

const MIB = 2 ** 20;
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";
const LINUX_ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const FREEBSD = "516e7cb6-6ecf-11d6-8ff8-00022d09712b";
const guid = (n: number): string => `01234567-89ab-cdef-0123-4567${String(n).padStart(8, "0")}`;
const ROOT: Files = { "/etc/fstab": "", "/sbin/init": "" };

/** A UFS2 superblock is enough to be one. */
function ufs({ label = "", mountedOn = "" } = {}): Uint8Array {
  const bytes = new Uint8Array(160 * 1024);
  const view = new DataView(bytes.buffer, 65536);
  view.setUint32(1372, 0x19540119, true);
  view.setUint32(48, 32768, true);
  view.setUint32(52, 4096, true);
  view.setUint32(56, 8, true);
  bytes.set(new TextEncoder().encode(mountedOn), 65536 + 212);
  bytes.set(new TextEncoder().encode(label), 65536 + 680);
  return bytes;
}

const EACH = 512;
type GptPart = readonly [type: string, image: Uint8Array, name?: string];
function gpt(...parts: readonly GptPart[]): DiskRoots {
  const disk = composed(
    (parts.length + 1) * EACH * 512,
    parts.map(([, image], i) => [(8 + i * EACH) * 512, image]),
  );
  writeGpt(
    disk,
    parts.map(([type, , name = ""], i) => ({
      type,
      guid: guid(i + 1),
      first: 8 + i * EACH,
      last: 7 + (i + 1) * EACH,
      name,
    })),
  );
  return rootWords(readDisk(memorySource(disk)));
}

function whole(image: Uint8Array, index = 0): DiskRoots {
  return rootWords(readDisk(memorySource(image)), index);
}

test("R3.6 Linux: PARTUUID of the partition that has /etc and /sbin, whichever it is", () => {
  const { Linux: words } = gpt(
    [ESP, fatImage({})],
    [LINUX, extImage({ "/vmlinuz": "" })],
    [LINUX, extImage(ROOT)],
  );
  assert.equal(words?.text, `root=PARTUUID=${guid(3)}`);
  assert.match(words?.why ?? "", /partition 3: it has \/etc/);
});

test("R3.6 Linux: the type of a root comes first, then where it was mounted, its name, then what is largest", () => {
  const last = (...parts: readonly GptPart[]): string | undefined => gpt(...parts).Linux?.text.slice(-1);
  assert.equal(last([LINUX, extImage(ROOT)], [LINUX_ROOT, extImage({})]), "2");
  assert.equal(last([LINUX, extImage({})], [LINUX, extImage({}, { mountedOn: "/" })]), "2");
  assert.equal(last([LINUX, extImage({})], [LINUX, extImage({}, { label: "cloudimg-rootfs" })]), "2");
  assert.equal(last([LINUX, extImage({})], [LINUX, extImage({}), "root"]), "2");
  assert.equal(last([LINUX, extImage({})]), "1");
});

test("R3.6 Linux: the PARTUUID of an MBR is its signature and the number in two digits; a whole disk is its device", () => {
  const disk = composed(MIB, [[301 * 512, extImage(ROOT)]]);
  writeMbr(disk, [{ type: 0x05, first: 300, count: 1000 }]);
  writeMbr(disk, [{ type: 0x83, first: 1, count: 300 }], 300);
  assert.equal(whole(disk).Linux?.text, "root=PARTUUID=1234abcd-05");
  assert.equal(whole(extImage(ROOT)).Linux?.text, "root=/dev/vda");
  assert.equal(whole(extImage(ROOT), 2).Linux?.text, "root=/dev/vdc");
  assert.equal(whole(fatImage({})).Linux, undefined);
});

test("R3.6 FreeBSD and NetBSD: the names that each has for a whole disk, partitions, slices and labels", () => {
  const texts = ({ FreeBSD, NetBSD }: DiskRoots): (string | undefined)[] => [FreeBSD?.text, NetBSD?.text];
  const freeBsd = (name: string): string => `vfs.root.mountfrom=ufs:/dev/${name}`;
  assert.deepEqual(texts(whole(ufs())), [freeBsd("vtbd0"), "root=ld0a"]);
  assert.deepEqual(texts(whole(ufs(), 1)), [freeBsd("vtbd1"), "root=ld1a"]);
  assert.deepEqual(texts(gpt([ESP, fatImage({})], [FREEBSD, ufs()])), [freeBsd("vtbd0p2"), "root=dk1"]);

  const slice = composed(MIB, [[200 * 512, ufs()]]);
  writeMbr(slice, [undefined, { type: 0xa9, first: 200, count: 400 }]);
  assert.deepEqual(texts(whole(slice)), [freeBsd("vtbd0s2"), "root=ld0f"]);

  const inSlice = composed(MIB, [[216 * 512, ufs()]]);
  writeMbr(inSlice, [{ type: 0xa5, first: 200, count: 800 }]);
  writeDisklabel(inSlice, 200 * 512, [
    { offset: 16, size: 400, type: 7 },
    undefined,
    { offset: 0, size: 800, type: 0 },
  ]);
  assert.equal(whole(inSlice).FreeBSD?.text, freeBsd("vtbd0s1a"));

  const label = composed(MIB, [[64 * 512, ufs()]]);
  writeDisklabel(label, 0, [{ offset: 64, size: 400, type: 7 }, ...Array<undefined>(15).fill(undefined)]);
  assert.deepEqual(texts(whole(label)), [freeBsd("vtbd0a"), "root=ld0a"]);
});

test("R3.6 FreeBSD: of several the one that was mounted on /, then the one named root", () => {
  const text = (...parts: readonly GptPart[]): string | undefined => gpt(...parts).FreeBSD?.text.slice(-2);
  assert.equal(text([FREEBSD, ufs({ mountedOn: "/var" })], [FREEBSD, ufs({ mountedOn: "/" })]), "p2");
  assert.equal(text([FREEBSD, ufs({ label: "var" })], [FREEBSD, ufs({ label: "rootfs" })]), "p2");
});

const COM1 = { port: 0x3f8, irq: 4 };
const HINTS: DiskHints = {
  name: "disk.img",
  roots: {
    Linux: { text: "root=PARTUUID=x", why: "w" },
    FreeBSD: { text: "vfs.root.mountfrom=ufs:/dev/vtbd0", why: "w" },
    NetBSD: { text: "root=ld0a", why: "w" },
  },
};
const OWN = { what: "vmlinuz", why: "grub.cfg", line: true };

function words(
  system: KernelSystem,
  commandLine: string | undefined,
  hints: DiskHints = HINTS,
  initrd = false,
): readonly string[] {
  const file = { name: "f", bytes: new Uint8Array(0) };
  const options: BootOptions = { kernel: file, disk: hints };
  if (commandLine !== undefined) options.commandLine = commandLine;
  if (initrd) options.initrd = file;
  return diskWords(options, { system, said: "said", serial: COM1, warn: () => {} }).words;
}

test("R3.6 a word of one's own about the root wins, as each system spells it; nothing else keeps ours away", () => {
  assert.deepEqual(words("Linux", undefined), ["root=PARTUUID=x"]);
  assert.deepEqual(words("Linux", "console=ttyS0 rootwait notroot=x"), ["root=PARTUUID=x"]);
  assert.deepEqual(words("Linux", "quiet root=/dev/vdb"), []);
  assert.deepEqual(words("FreeBSD", "root=x"), ["vfs.root.mountfrom=ufs:/dev/vtbd0"]);
  assert.deepEqual(words("FreeBSD", "a=b,vfs.root.mountfrom=zfs:x"), []);
  assert.deepEqual(words("NetBSD", "console=com"), ["root=ld0a"]);
  assert.deepEqual(words("NetBSD", "root=dk1"), []);
  assert.deepEqual(words("OpenBSD", ""), []);
});

test("R3.6 a disk without a root of the kernel's system is told of, unless the line says where it is", () => {
  const warnings = (commandLine: string): string[] => {
    const heard: string[] = [];
    diskWords(
      { kernel: { name: "k", bytes: new Uint8Array(0) }, commandLine, disk: { name: "d.img", roots: {} } },
      { system: "Linux", said: undefined, serial: COM1, warn: (text) => heard.push(text) },
    );
    return heard;
  };
  assert.deepEqual(warnings("quiet"), [
    "no root file system of Linux was found on d.img: the kernel is told none",
  ]);
  assert.deepEqual(warnings("root=/dev/vdb"), []);
});

test("R3.6 a disk's own line gets our console behind its own, once; one without a root leaves it to its initrd", () => {
  const own: DiskHints = { ...HINTS, own: OWN };
  assert.deepEqual(words("Linux", "root=/dev/sda1 ro quiet", own), ["console=ttyS0"]);
  assert.deepEqual(words("Linux", "root=x console=tty0", own), ["console=ttyS0"]);
  assert.deepEqual(words("Linux", "root=x console=tty0 console=ttyS0,115200n8", own), []);
  assert.deepEqual(words("Linux", "quiet console=ttyS0", own, true), []);
  assert.deepEqual(words("Linux", "quiet console=ttyS0", own), ["root=PARTUUID=x"]);
  // A line that a person gave is left alone but for the root.
  assert.deepEqual(words("Linux", "quiet", { ...own, own: { ...OWN, line: false } }), ["root=PARTUUID=x"]);
});

test("R3.6 a plan has the words at the end of its line, and says what was added and why", () => {
  const plan = buildPlan({
    kernel: { name: "vmlinuz", bytes: makeBzImage() },
    commandLine: "quiet",
    disk: { ...HINTS, own: { ...OWN, line: true } },
  });
  assert.equal(plan.commandLine, "quiet root=PARTUUID=x console=ttyS0");
  assert.deepEqual(plan.added.slice(0, 3), [
    { what: "kernel vmlinuz", why: "grub.cfg", told: true },
    { what: 'command line "root=PARTUUID=x"', why: "w", told: true },
    {
      what: 'command line "console=ttyS0"',
      why: "the disk's own command line shows no console on the serial port",
      told: true,
    },
  ]);
});
