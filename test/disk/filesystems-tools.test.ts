/** File systems that their own programs made are named as blkid names them: type, label, UUID (R3.6). */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { identifyFileSystem } from "../../src/disk/filesystems/identify.js";
import { emptyFile, fileSource, probed, run, scratch } from "../support/disk-tools.js";

const MIB = 2 ** 20;
const UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

interface Made {
  name: string;
  program: string;
  /** Arguments for a file, and a folder with a file in it. */
  args: (file: string, folder: string) => readonly string[];
  size: number;
  input?: string;
  /** As blkid calls it; absent: `type`. */
  probed?: string;
  type: string;
}

const MADE: readonly Made[] = [
  ...["ext2", "ext3", "ext4"].map((type) => ({
    name: type,
    program: "mke2fs",
    args: (file: string, folder: string) => [
      "-q",
      "-t",
      type,
      "-L",
      "a label",
      "-U",
      UUID,
      "-d",
      folder,
      file,
    ],
    size: 16 * MIB,
    type,
  })),
  {
    name: "a journal of ext4 by itself",
    program: "mke2fs",
    args: (file) => ["-q", "-O", "journal_dev", "-b", "4096", "-L", "log", file],
    size: 16 * MIB,
    type: "jbd",
  },
  {
    name: "xfs",
    program: "mkfs.xfs",
    args: (file) => ["-q", "-L", "xlabel", file],
    size: 320 * MIB,
    type: "xfs",
  },
  {
    name: "btrfs",
    program: "mkfs.btrfs",
    args: (file) => ["-q", "-L", "a btrfs", file],
    size: 128 * MIB,
    type: "btrfs",
  },
  ...["12", "16", "32"].map((bits) => ({
    name: `vfat, FAT${bits}`,
    program: "mkfs.vfat",
    args: (file: string) => ["-F", bits, "-n", "FATLABEL", file],
    size: bits === "12" ? 2 * MIB : 64 * MIB,
    type: "vfat",
  })),
  {
    name: "vfat without a label, sectors of 4096",
    program: "mkfs.vfat",
    args: (file) => ["-S", "4096", file],
    size: 64 * MIB,
    type: "vfat",
  },
  {
    name: "swap",
    program: "mkswap",
    args: (file) => ["-L", "sw", "-U", UUID, file],
    size: 4 * MIB,
    type: "swap",
  },
  {
    name: "swap of large pages",
    program: "mkswap",
    args: (file) => ["-p", "65536", file],
    size: 4 * MIB,
    type: "swap",
  },
  {
    name: "squashfs",
    program: "mksquashfs",
    args: (file, folder) => [folder, file, "-noappend", "-quiet", "-no-progress"],
    size: 0,
    type: "squashfs",
  },
  {
    name: "erofs",
    program: "mkfs.erofs",
    args: (file, folder) => [`-U${UUID}`, file, folder],
    size: 0,
    type: "erofs",
  },
  {
    name: "iso9660",
    program: "xorriso",
    args: (file, folder) => ["-as", "mkisofs", "-quiet", "-V", "ISO_LABEL", "-o", file, folder],
    size: 0,
    type: "iso9660",
  },
  ...["1", "2"].map((version) => ({
    name: `LUKS${version}`,
    program: "cryptsetup",
    args: (file: string) => [
      ...[
        "luksFormat",
        "-q",
        "--type",
        `luks${version}`,
        "--pbkdf",
        "pbkdf2",
        "--pbkdf-force-iterations",
        "1000",
      ],
      ...["--uuid", UUID, ...(version === "2" ? ["--label", "secret"] : []), file, "-"],
    ],
    size: 32 * MIB,
    input: "password",
    probed: "crypto_LUKS",
    type: `LUKS${version}`,
  })),
];

for (const { name, program, args, size, input, type, probed: wanted = type } of MADE)
  test(`R3.6 ${name} of ${program}: type, label and UUID are those of blkid`, (t) => {
    const folder = scratch(t);
    const content = path.join(folder, "content");
    mkdirSync(content);
    writeFileSync(path.join(content, "file"), "content");
    const file = size === 0 ? path.join(folder, "disk") : emptyFile(folder, "disk", size);
    if (run(t, program, args(file, content), input) === undefined) return;
    const facts = probed(t, file);
    if (facts === undefined) return;
    const found = identifyFileSystem(fileSource(t, file));
    assert.equal(facts.get("TYPE"), wanted);
    assert.equal(found?.type, type);
    assert.equal(found?.label, facts.get("LABEL"));
    assert.equal(found?.uuid, facts.get("UUID"));
  });

test("R3.6 a physical volume of LVM: its UUID is that of blkid", (t) => {
  const folder = scratch(t);
  const file = emptyFile(folder, "disk", 8 * MIB);
  // pvcreate wants a block device: the label is what it writes (label.h), with its own checksum, which nobody here reads.
  const label = Buffer.alloc(512);
  label.write("LABELONE", 0);
  label.writeBigUInt64LE(1n, 8);
  label.writeUInt32LE(32, 20);
  label.write("LVM2 001", 24);
  label.write("0123456789abcdefghijklmnopqrstuv", 32);
  label.writeUInt32LE(lvmCrc(label.subarray(20)), 16);
  writeFileSync(file, Buffer.concat([Buffer.alloc(512), label, Buffer.alloc(8 * MIB - 1024)]));
  const facts = probed(t, file);
  if (facts === undefined) return;
  assert.equal(facts.get("TYPE"), "LVM2_member");
  const found = identifyFileSystem(fileSource(t, file));
  assert.equal(found?.type, "LVM2");
  assert.equal(found?.uuid, facts.get("UUID"));
});

/** CRC-32 as LVM starts it. */
function lvmCrc(bytes: Uint8Array): number {
  let crc = 0xf597a6cf;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc >>> 0;
}
