/** Files of FAT and ext file systems that tests wrote (R3.6); `files-tools.test.ts` has those of the real programs. */
import assert from "node:assert/strict";
import test from "node:test";
import { ByteView } from "../../src/bytes/byte-view.js";
import { BlockError } from "../../src/block/block-error.js";
import { filesOf, readDisk } from "../../src/disk/disk.js";
import type { FileTree } from "../../src/disk/files/tree.js";
import { memorySource } from "../../src/disk/source.js";
import { EXT_UUID, extImage, fatImage, type Files } from "../support/disk-images.js";

const MIB = 2 ** 20;
const LARGE = Uint8Array.from({ length: 40_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const FILES: Files = {
  "/README.TXT": "short",
  "/A long name, with spaces.conf": "long",
  "/EMPTY": "",
  "/boot/grub/grub.cfg": "deep",
  "/boot/large": LARGE,
};

function files(disk: Uint8Array): FileTree {
  const [volume] = readDisk(memorySource(disk)).volumes;
  const tree = filesOf(volume);
  assert.ok(tree !== undefined);
  return tree;
}

function text(tree: FileTree, path: string): string | undefined {
  const found = tree.open(path);
  return found?.kind === "file" ? new TextDecoder().decode(found.read(MIB)) : undefined;
}

for (const bits of [12, 16, 32] as const)
  for (const perCluster of [1, 4])
    test(`R3.6 FAT${bits}, ${perCluster} sectors a cluster: short and long names in any case, folders, large files`, () => {
      const tree = files(fatImage(FILES, { bits, perCluster }));
      assert.equal(text(tree, "/README.TXT"), "short");
      assert.equal(text(tree, "/readme.txt"), "short");
      assert.equal(text(tree, "/a LONG name, with spaces.CONF"), "long");
      assert.equal(tree.open("/a long name, with spaces.conf")?.path, "/A long name, with spaces.conf");
      assert.equal(text(tree, "/EMPTY"), "");
      assert.equal(text(tree, "/boot/grub/../grub/grub.cfg"), "deep");
      assert.deepEqual(tree.open("/boot/large")?.read(MIB), LARGE);
      assert.deepEqual(tree.open("/")?.names(), [
        "README.TXT",
        "A long name, with spaces.conf",
        "EMPTY",
        "boot",
      ]);
      assert.equal(tree.open("/boot/nothing"), undefined);
      assert.equal(tree.open("/README.TXT/x"), undefined);
    });

test("R3.6 FAT: serial number and label, the root folder's before the boot sector's", () => {
  const [volume] = readDisk(memorySource(fatImage({}, { bits: 16, label: "MYDISK" }))).volumes;
  assert.deepEqual(
    { ...volume.fileSystem },
    {
      type: "vfat",
      meaning: "FAT16",
      label: "MYDISK",
      uuid: "ABCD-1234",
      size: volume.source.size,
      offset: 0,
    },
  );
});

for (const extents of [false, true])
  test(`R3.6 ext with ${extents ? "extents" : "block maps"}: files, folders, fast and slow links`, () => {
    const tree = files(
      extImage(
        {
          ...FILES,
          "/vmlinuz": { link: "boot/large" },
          "/boot/up": { link: "../boot/./grub/../up2" },
          "/boot/up2": { link: "/README.TXT" },
          "/slow": { link: `${"./".repeat(40)}boot/grub/grub.cfg` },
          "/etc": { link: "/boot/grub" },
        },
        { extents, label: "root", mountedOn: "/" },
      ),
    );
    assert.equal(text(tree, "/README.TXT"), "short");
    assert.equal(text(tree, "/readme.txt"), undefined);
    assert.deepEqual(tree.open("/vmlinuz")?.read(MIB), LARGE);
    assert.equal(tree.open("/vmlinuz")?.path, "/boot/large");
    assert.equal(text(tree, "/boot/up"), "short");
    assert.equal(text(tree, "/slow"), "deep");
    assert.equal(text(tree, "/etc/grub.cfg"), "deep");
    assert.equal(text(tree, "/../../README.TXT"), "short");
  });

test("R3.6 ext: label, UUID and where it was mounted", () => {
  const [volume] = readDisk(memorySource(extImage({}, { label: "root", mountedOn: "/" }))).volumes;
  const { type, label, uuid, mountedOn, size, offset } = volume.fileSystem ?? {};
  assert.deepEqual(
    [type, label, uuid, mountedOn, size, offset],
    ["ext2", "root", EXT_UUID, "/", 131072, 1080],
  );
});

test("R3.6 links in circles and links to nothing end as nothing", () => {
  const tree = files(
    extImage({
      "/a": { link: "b" },
      "/b": { link: "a" },
      "/c": { link: "c/c/c" },
      "/d": { link: "nowhere" },
    }),
  );
  for (const path of ["/a", "/b", "/c", "/d"]) assert.equal(tree.open(path), undefined);
});

test("R3.6 a file larger than what it is read for is refused before memory is taken for it", () => {
  const ext = extImage({ "/f": "x" });
  // Inode 11, size of 2 TiB: sparse as far as anybody knows.
  new ByteView(ext).setU32(5 * 1024 + 10 * 128 + 108, 512);
  const found = files(ext).open("/f");
  assert.equal(found?.size, 512 * 2 ** 32 + 1);
  assert.throws(() => found?.read(MIB), BlockError);
  const fat = fatImage({ "/F": "x" });
  const slot = fat.findIndex((byte, at) => byte === 0x46 && fat[at + 1] === 0x20 && fat[at + 11] === 0x20);
  new ByteView(fat).setU32(slot + 28, 0xffffffff);
  assert.throws(
    () =>
      files(fat)
        .open("/F")
        ?.read(2 ** 32),
    BlockError,
  );
});

test("R3.6 a chain of clusters in a circle ends", () => {
  const disk = fatImage({ "/F": new Uint8Array(5000) }, { bits: 16 });
  // Cluster 3 of the file leads back to 2.
  new ByteView(disk).setU16(512 + 3 * 2, 2);
  assert.equal(files(disk).open("/F")?.read(MIB).length, 5000);
  const folder = fatImage({ "/d/X": "x" }, { bits: 16 });
  const view = new ByteView(folder);
  for (let cluster = 2; cluster < 10; cluster++) view.setU16(512 + cluster * 2, cluster);
  assert.equal(text(files(folder), "/d/X"), "x");
});

test("R3.6 ext with a feature that is not known is refused by its bit, and is named all the same", () => {
  const disk = extImage({ "/f": "x" });
  disk[1024 + 96] |= 0x1;
  const [volume] = readDisk(memorySource(disk)).volumes;
  assert.equal(volume.fileSystem?.type, "ext4");
  assert.throws(() => filesOf(volume), /at 0x460: found features 0x1/);
});

test("R3.6 ext: extents in disorder, a tree without an end and folders of nonsense are told", () => {
  const good = extImage({ "/f": LARGE }, { extents: true });
  const inode = 5 * 1024 + 10 * 128;
  const changes: [(view: ByteView) => void, RegExp][] = [
    [
      (view) => {
        view.setU16(inode + 42, 2);
        view.setU32(inode + 64, 3);
        view.setU16(inode + 68, 9);
      },
      /an extent of block 3/,
    ],
    [(view) => view.setU16(inode + 46, 9), /a node of extents/],
    [(view) => view.setU16(inode + 42, 200), /a node of extents/],
    [(view) => view.setU32(inode + 60, 0x7fffffff), /the end at|bytes/],
  ];
  for (const [change, word] of changes) {
    const disk = good.slice();
    change(new ByteView(disk));
    assert.throws(
      () => files(disk).open("/f")?.read(MIB),
      (error) => error instanceof BlockError && word.test(error.message),
    );
  }
});
