/** The readers of ar, tar and Debian packages, against archives built byte by byte and hostile variants of them. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { readAr } from "../../src/guests/archives/ar.js";
import { controlOfDeb, filesFromDeb } from "../../src/guests/archives/deb.js";
import { GuestError } from "../../src/guests/errors.js";
import { readTar } from "../../src/guests/archives/tar.js";
import { arOf, concat, debOf, tarHeader, tarOf } from "../support/archives.js";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const isDamaged = (error: unknown): boolean => error instanceof GuestError && error.fault === "damaged";

test("ar: members come with their names and bytes, odd sizes padded", () => {
  const archive = arOf([
    { name: "debian-binary", bytes: utf8.encode("2.0\n") },
    { name: "odd", bytes: utf8.encode("abc") },
    { name: "gnu/", bytes: utf8.encode("last") },
  ]);
  const members = [...readAr(archive)].map(({ name, bytes }) => [name, text(bytes)]);
  assert.deepEqual(members, [
    ["debian-binary", "2.0\n"],
    ["odd", "abc"],
    ["gnu", "last"],
  ]);
});

test("ar: every truncation either ends between members or is refused", () => {
  const archive = arOf([
    { name: "a", bytes: utf8.encode("four") },
    { name: "b", bytes: utf8.encode("more") },
  ]);
  for (let size = 0; size < archive.length; size++) {
    try {
      assert.ok([...readAr(archive.subarray(0, size))].length < 2, `${size}`);
    } catch (error) {
      assert.ok(isDamaged(error), `${size}: ${String(error)}`);
    }
  }
});

test("ar: a member that claims more than the file holds is refused at its offset", () => {
  const archive = arOf([{ name: "a", bytes: utf8.encode("four") }]);
  archive.set(utf8.encode("9999999999"), 8 + 48);
  assert.throws(() => [...readAr(archive)], /member at offset 8 claims 9999999999 bytes of 4/);
});

test("tar: files, folders, links, prefixes, permissions, owners", () => {
  const archive = tarOf([
    { name: "./", type: "5", mode: 0o755 },
    { name: "./boot/kernel", text: "bytes", mode: 0o4600, user: 1000, group: 42 },
    { name: "./link", type: "2", linkName: "boot/kernel" },
    { name: "name", prefix: "very/long", text: "x".repeat(513) },
  ]);
  const entries = [...readTar(archive)].map((entry) => ({ ...entry, bytes: entry.bytes.length }));
  const owner = { user: 0, group: 0 };
  const linkName = "";
  assert.deepEqual(entries, [
    { path: "./", kind: "directory", mode: 0o755, owner, linkName, bytes: 0 },
    {
      path: "./boot/kernel",
      kind: "file",
      mode: 0o4600,
      owner: { user: 1000, group: 42 },
      linkName,
      bytes: 5,
    },
    { path: "./link", kind: "symlink", mode: 0o644, owner, linkName: "boot/kernel", bytes: 0 },
    { path: "very/long/name", kind: "file", mode: 0o644, owner, linkName, bytes: 513 },
  ]);
});

test("tar: GNU long names and pax records name the entry that follows them, once", () => {
  const long = `./${"d/".repeat(80)}file`;
  const archive = tarOf([
    { name: "././@LongLink", type: "L", text: `${long}\0` },
    { name: "cut", text: "1" },
    { name: "PaxHeaders/x", type: "x", text: "18 path=über/uns\n" },
    { name: "cut", text: "2" },
    { name: "plain", text: "3" },
  ]);
  assert.deepEqual(
    [...readTar(archive)].map(({ path, bytes }) => [path, text(bytes)]),
    [
      [long, "1"],
      ["über/uns", "2"],
      ["plain", "3"],
    ],
  );
});

test("tar: sizes in base 256 are read", () => {
  const header = tarHeader({ name: "f" }, 0);
  header.set([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x01], 124);
  header.set(utf8.encode("        "), 148);
  header.set(
    utf8.encode(
      header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0") + "\0 ",
    ),
    148,
  );
  const archive = concat([header, new Uint8Array(1024).fill(7)]);
  assert.equal([...readTar(archive)][0].bytes.length, 513);
});

test("tar: a wrong checksum, a cut entry and a wrong pax length are refused with their offsets", () => {
  const flipped = tarOf([{ name: "a", text: "1" }]);
  flipped[0] ^= 1;
  assert.throws(() => [...readTar(flipped)], /wrong checksum at offset 0/);
  const cut = tarOf([{ name: "a", text: "x".repeat(2000) }]).subarray(0, 1024);
  assert.throws(() => [...readTar(cut)], /an entry of 2000 bytes where 512 are left at offset 0/);
  for (const record of ["99 path=a\n", "0 path=a\n", "-3 path=a\n", "path=a\n", "8 nopath\n"]) {
    assert.throws(() => [...readTar(tarOf([{ name: "x", type: "x", text: record }]))], isDamaged, record);
  }
});

test("tar: every bit flip in a header gives entries or a GuestError, nothing else", () => {
  const archive = tarOf([
    { name: "./a", text: "1" },
    { name: "x", type: "x", text: "10 path=b\n" },
    { name: "c" },
  ]);
  for (let bit = 0; bit < archive.length * 8; bit += 3) {
    const flipped = archive.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    try {
      assert.ok([...readTar(flipped)].length <= 3);
    } catch (error) {
      assert.ok(isDamaged(error), `bit ${bit}: ${String(error)}`);
    }
  }
});

test("deb: files are found by pattern, links and folders are not taken for them", () => {
  const deb = debOf([
    { name: "./boot/", type: "5" },
    { name: "./boot/vmlinuz-1", type: "2", linkName: "/etc/shadow" },
    { name: "./boot/vmlinuz-2", text: "kernel" },
    { name: "./boot/config-2", text: "CONFIG_X=y" },
  ]);
  const found = filesFromDeb(deb, { kernel: /^boot\/vmlinuz-/, config: /^boot\/config-/ });
  assert.equal(found.kernel.path, "boot/vmlinuz-2");
  assert.equal(text(found.config.bytes), "CONFIG_X=y");
});

test("deb: what is missing is named", () => {
  assert.throws(
    () => filesFromDeb(debOf([{ name: "./a" }]), { kernel: /^boot\// }),
    /no file for kernel \(\^boot/,
  );
  assert.throws(() => filesFromDeb(arOf([]), { kernel: /^boot\// }), /no data\.tar/);
});

test("deb: a compressed package is unpacked only as far as it takes, then whole if need be", () => {
  const tar = tarOf([
    { name: "./boot/vmlinuz-2", text: "kernel" },
    { name: "./lib/big", text: "x".repeat(100_000) },
    { name: "./lib/last", text: "end" },
  ]);
  const whole = gzipSync(tar);
  // The end of the stream is damaged: nobody may have looked at it.
  const damaged = whole.subarray(0, whole.length - 20);
  const deb = (bytes: Uint8Array): Uint8Array => arOf([{ name: "data.tar.gz", bytes }]);
  const firstTry = 20_000;
  assert.equal(text(filesFromDeb(deb(damaged), { kernel: /^boot\// }, firstTry).kernel.bytes), "kernel");
  assert.equal(text(filesFromDeb(deb(whole), { last: /^lib\/last$/ }, firstTry).last.bytes), "end");
  assert.throws(() => filesFromDeb(deb(damaged), { last: /^lib\/last$/ }, firstTry), isDamaged);
});

test("deb: a damaged or unknown compression is named", () => {
  const deb = arOf([{ name: "data.tar.xz", bytes: utf8.encode("no xz stream at all") }]);
  assert.throws(() => filesFromDeb(deb, { kernel: /^boot/ }), /data\.tar\.xz: .*offset/);
  const unknown = arOf([{ name: "data.tar.br", bytes: utf8.encode("x") }]);
  assert.throws(() => filesFromDeb(unknown, { kernel: /^boot/ }), /data\.tar\.br cannot be read/);
});

test("deb: what a package tells dpkg is read from its control.tar", () => {
  const member = {
    name: "control.tar.gz",
    bytes: gzipSync(tarOf([{ name: "./postinst", text: "exit 0", mode: 0o755 }])),
  };
  const deb = arOf([{ name: "data.tar", bytes: tarOf([{ name: "./file" }]) }, member]);
  const entries = [...controlOfDeb(deb)].map(({ path, mode, bytes }) => [path, mode, text(bytes)]);
  assert.deepEqual(entries, [["./postinst", 0o755, "exit 0"]]);
  assert.throws(() => [...controlOfDeb(arOf([]))], /the package holds no control\.tar/);
});
