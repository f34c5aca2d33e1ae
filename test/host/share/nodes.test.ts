/** R3.1: nodes, descriptors and open files of a share are bounded, found again, and given back. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InodeNumbers } from "../../../src/host/node/share/inode-numbers.js";
import { openHostFolder } from "../../../src/host/node/share/share-folder.js";
import {
  at,
  bytes,
  content,
  entries,
  made,
  openDescriptors,
  refused,
  shared,
  temporaryFolder,
} from "./share-under-test.js";

const S_IFREG = 0o100000;
const O_RDWR = 2;
const FILES = 5000;

function manyFiles(): string {
  const folder = temporaryFolder();
  for (let index = 0; index < FILES; index++) writeFileSync(path.join(folder, `f${index}`), String(index));
  return folder;
}

test("R3.1 5,000 nodes with 16 descriptors: each is found again as what it was, and no more descriptors are open", async (t) => {
  const folder = manyFiles();
  const before = openDescriptors();
  for (const share of [
    await shared(t, folder, { limits: { descriptors: 16 } }),
    await openHostFolder(folder, { readOnly: true, limits: { descriptors: 16 } }),
  ]) {
    if (share === undefined) continue;
    const others = openDescriptors();
    const nodes = Array.from({ length: FILES }, (_, index) => at(share, `f${index}`));
    assert.ok(openDescriptors() - others <= 16);
    for (let index = 0; index < FILES; index += 7) {
      const node = nodes[index] ?? 0;
      assert.equal(content(share, node), String(index));
      assert.equal(
        share.attributes(node).ino,
        lstatSync(path.join(folder, `f${index}`), { bigint: true }).ino,
      );
      assert.equal(at(share, `f${index}`), node);
    }
    assert.ok(openDescriptors() - others <= 16);
    assert.equal(share.nodes, FILES + 1);
    for (const [index, node] of nodes.entries()) share.forget(node, index % 7 === 0 ? 2 : 1);
    assert.equal(share.nodes, 1);
    refused("ESTALE", () => share.attributes(nodes[0] ?? 0));
    share.close();
  }
  assert.equal(openDescriptors(), before);
});

test("R3.1 a node without a descriptor whose name has something else now is ESTALE, and the new file a new node", async (t) => {
  const folder = manyFiles();
  const share = await shared(t, folder, { limits: { descriptors: 4 } });
  if (share === undefined) return;
  const { root } = share;
  const [replaced, removed, moved, told] = ["f0", "f1", "f2", "f3"].map((name) => at(share, name)) as [
    number,
    number,
    number,
    number,
  ];
  const linked = at(share, "f4");
  for (let index = 10; index < 20; index++) at(share, `f${index}`);
  // Of the same inode number too, which file systems give again: it is of another birth.
  unlinkSync(path.join(folder, "f0"));
  writeFileSync(path.join(folder, "f0"), "another");
  unlinkSync(path.join(folder, "f1"));
  renameSync(path.join(folder, "f2"), path.join(folder, "moved"));
  linkSync(path.join(folder, "f4"), path.join(folder, "link"));
  unlinkSync(path.join(folder, "f4"));
  refused("ESTALE", () => share.attributes(replaced));
  refused("ENOENT", () => share.attributes(removed));
  refused("ENOENT", () => share.attributes(moved));
  refused("ENOENT", () => share.attributes(linked));
  assert.notEqual(at(share, "f0"), replaced);
  assert.equal(content(share, at(share, "f0")), "another");
  // Seen at its new place it is the same again.
  assert.equal(at(share, "moved"), moved);
  assert.equal(content(share, moved), "2");
  assert.equal(at(share, "link"), linked);
  // What the guest itself moves is known.
  share.rename(root, bytes("f3"), root, bytes("told"), 0);
  for (let index = 20; index < 30; index++) at(share, `f${index}`);
  assert.equal(content(share, told), "3");
});

test("R3.1 folders of nodes stay found: forgotten by the guest, moved into each other by the host, 300 deep with 4 descriptors", async (t) => {
  const folder = temporaryFolder();
  const deep = Array.from({ length: 300 }, (_, index) => `d${index}`);
  let below = folder;
  for (const name of deep) mkdirSync((below = path.join(below, name)));
  writeFileSync(path.join(below, "leaf"), "deep");
  const share = await shared(t, folder, { limits: { descriptors: 4 } });
  if (share === undefined) return;
  const nodes = [share.root];
  for (const name of deep) nodes.push(share.lookup(nodes.at(-1) ?? 0, bytes(name)).node);
  const leaf = share.lookup(nodes.at(-1) ?? 0, bytes("leaf")).node;
  for (const node of nodes) share.forget(node, 1);
  assert.equal(content(share, leaf), "deep");
  assert.equal(share.nodes, 302);
  share.forget(leaf, 1);
  assert.equal(share.nodes, 1);
  // One in the other, then the other in the one: places that were seen make no circle.
  mkdirSync(path.join(folder, "a"));
  mkdirSync(path.join(folder, "a", "b"));
  const a = at(share, "a");
  const b = share.lookup(a, bytes("b")).node;
  renameSync(path.join(folder, "a", "b"), path.join(folder, "b"));
  renameSync(path.join(folder, "a"), path.join(folder, "b", "a"));
  assert.equal(share.lookup(b, bytes("a")).node, a);
  for (let index = 0; index < 10; index++) share.makeFolder(share.root, bytes(`x${index}`), made(0o755));
  refused("ESTALE", () => share.attributes(a));
  assert.equal(at(share, "b"), b);
  assert.equal(at(share, "b/a"), a);
});

test("R3.1 more nodes than are allowed are ENFILE, more open files EMFILE, and all goes on when some are given back", async (t) => {
  const folder = manyFiles();
  const share = await shared(t, folder, { limits: { nodes: 100, handles: 10 } });
  if (share === undefined) return;
  const nodes = Array.from({ length: 99 }, (_, index) => at(share, `f${index}`));
  const before = openDescriptors();
  refused("ENFILE", () => at(share, "f99"));
  refused("ENFILE", () => share.makeFolder(share.root, bytes("new"), made(0o755)));
  assert.equal(openDescriptors(), before);
  share.forget(nodes[0] ?? 0, 1);
  nodes[0] = at(share, "f99");
  const handles = Array.from({ length: 5 }, () => share.open(nodes[0] ?? 0, O_RDWR));
  const folders = Array.from({ length: 5 }, () => share.openFolder(share.root));
  refused("EMFILE", () => share.open(nodes[0] ?? 0, 0));
  refused("EMFILE", () => share.openFolder(share.root));
  refused("EMFILE", () => share.create(share.root, bytes("f1"), made(S_IFREG | 0o600), O_RDWR));
  handles.forEach((handle) => share.release(handle));
  folders.forEach((handle) => share.releaseFolder(handle));
  share.release(share.open(nodes[0] ?? 0, 0));
  // Given back twice, or never had: nothing happens.
  share.release(handles[0] ?? 0);
  share.releaseFolder(-1);
  share.forget(12_345, 1);
  share.forget(share.root, 1000);
  share.attributes(share.root);
});

test("R3.1 where the process has no descriptor left, nodes' are closed for what is opened", async (t) => {
  const folder = manyFiles();
  const native = await shared(t, folder);
  if (native === undefined) return;
  const few = fileURLToPath(new URL("./few-descriptors.js", import.meta.url));
  const ran = execFileSync("/bin/sh", [
    "-c",
    'ulimit -n 100; exec "$@"',
    "sh",
    process.execPath,
    few,
    folder,
  ]);
  assert.equal(ran.toString(), `${FILES} read\n`);
});

test("R3.1 no descriptor is left when a share is closed, whatever was refused before", async (t) => {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, "d"));
  writeFileSync(path.join(folder, "f"), "x");
  await shared(t, folder);
  const before = openDescriptors();
  for (let round = 0; round < 3; round++) {
    const share = await shared(t, folder, { limits: { descriptors: 8 } });
    if (share === undefined) return;
    for (let index = 0; index < 50; index++) {
      const { node, handle } = share.create(share.root, bytes(`n${index}`), made(S_IFREG | 0o600), O_RDWR);
      refused("EEXIST", () => share.create(share.root, bytes(`n${index}`), made(S_IFREG), O_RDWR | 0o200));
      refused("ENOTDIR", () => share.create(node, bytes("x"), made(S_IFREG), O_RDWR));
      refused("ENOENT", () => share.lookup(share.root, bytes("none")));
      refused("EEXIST", () => share.makeFolder(share.root, bytes("d"), made(0o755)));
      if (index % 2 === 0) share.release(handle);
      share.openFolder(at(share, "d"));
      entries(share, share.root);
      share.removeFile(share.root, bytes(`n${index}`));
    }
    share.close();
    assert.equal(openDescriptors(), before);
  }
  assert.deepEqual(readdirSync(folder).sort(), ["d", "f"]);
  rmSync(folder, { recursive: true });
});

test("R3.1 inode numbers: the root's file system keeps its own, others' are told apart, the same in every run", () => {
  const one = new InodeNumbers(5);
  const two = new InodeNumbers(5);
  assert.equal(one.of(5, 77n), 77n);
  assert.equal(one.of(5, 2n ** 60n), 2n ** 60n);
  const seen = new Set<bigint>([77n]);
  for (let device = 6; device < 2000; device++) {
    const number = one.of(device, 77n);
    assert.ok(!seen.has(number));
    seen.add(number);
    assert.equal(one.of(device, 77n), number);
  }
  assert.equal(two.of(6, 77n), one.of(6, 77n));
  for (const [device, ino] of [
    [5, 2n ** 63n],
    [6, 2n ** 48n],
    [6, 2n ** 64n - 1n],
  ] as const) {
    const number = one.of(device, ino);
    assert.ok(!seen.has(number) && number < 2n ** 64n);
    seen.add(number);
    assert.equal(one.of(device, ino), number);
  }
});
