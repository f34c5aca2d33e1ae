/** R3.1: a folder of the host as a guest has it, each call against what Node says of the same folder. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { HostFolder } from "../../../src/host/node/share/host-folder.js";
import { ShareError } from "../../../src/host/node/share/share-error.js";
import { openHostFolder } from "../../../src/host/node/share/share-folder.js";
import { PathCalls } from "../../../src/host/node/share/path-calls.js";
import { HostFolder as Folder } from "../../../src/host/node/share/host-folder.js";
import type { FileAttributes } from "../../../src/share/file-backend.js";
import {
  SELF,
  at,
  bytes,
  content,
  entries,
  isRoot,
  made,
  refused,
  shared,
  temporaryFolder,
  text,
} from "./share-under-test.js";

const O_WRONLY = 1;
const O_RDWR = 2;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const S_IFREG = 0o100000;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFSOCK = 0o140000;
const KIB = 1024;

/** What Node says of a path, as a share says it. */
function hostAttributes(file: string): FileAttributes {
  const stat = lstatSync(file, { bigint: true });
  const time = (ns: bigint): { seconds: number; nanoseconds: number } => ({
    seconds: Number(ns / 10n ** 9n),
    nanoseconds: Number(ns % 10n ** 9n),
  });
  return {
    ino: stat.ino,
    mode: Number(stat.mode),
    links: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    rdev: 0,
    size: Number(stat.size),
    blocks: Number(stat.blocks),
    blockSize: Number(stat.blksize),
    accessed: time(stat.atimeNs),
    modified: time(stat.mtimeNs),
    changed: time(stat.ctimeNs),
  };
}

/** A folder with one of each kind of file. */
function everyKind(): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "file"), "what it has\n");
  mkdirSync(path.join(folder, "folder"));
  writeFileSync(path.join(folder, "folder", "below"), "below");
  symlinkSync("/etc/passwd", path.join(folder, "link"));
  execFileSync("mkfifo", [path.join(folder, "fifo")]);
  linkSync(path.join(folder, "file"), path.join(folder, "other"));
  return folder;
}

/** The folder by each way to read it. */
async function everyWay(t: Parameters<typeof shared>[0], folder: string): Promise<[string, HostFolder][]> {
  const native = await shared(t, folder);
  const plain = await openHostFolder(folder, { readOnly: true });
  const calls = new PathCalls();
  const limits = { nodes: 1000, descriptors: 100, handles: 100 };
  const paths = new Folder(calls, calls.openRoot(folder), { readOnly: true, owner: "host", limits });
  t.after(() => {
    plain.close();
    paths.close();
  });
  const without: [string, HostFolder][] = [
    ["Node's calls", plain],
    ["paths", paths],
  ];
  return native === undefined ? without : [["koffi", native], ...without];
}

test("R3.1 attributes of every kind of file are the host's, and a name that leads to the same file gives the same node", async (t) => {
  const folder = everyKind();
  for (const [way, share] of await everyWay(t, folder)) {
    for (const name of readdirSync(folder)) {
      const { node, attributes } = share.lookup(share.root, bytes(name));
      assert.deepEqual(attributes, hostAttributes(path.join(folder, name)), `${way}: ${name}`);
      assert.deepEqual(share.attributes(node), attributes, `${way}: ${name}`);
    }
    assert.deepEqual(share.attributes(share.root), hostAttributes(folder), way);
    assert.equal(at(share, "file"), at(share, "other"), way);
    assert.equal(at(share, "folder"), at(share, "folder"), way);
  }
});

test("R3.1 files, links and folders read as on the host; a file read in pieces ends where it ends", async (t) => {
  const folder = everyKind();
  for (const [way, share] of await everyWay(t, folder)) {
    assert.equal(content(share, at(share, "file")), "what it has\n", way);
    assert.equal(content(share, at(share, "folder/below")), "below", way);
    assert.equal(text(share.readLink(at(share, "link"))), "/etc/passwd", way);
    refused("EINVAL", () => share.readLink(at(share, "file")));
    const handle = share.open(at(share, "file"), 0);
    const into = new Uint8Array(8);
    assert.equal(share.read(handle, 8, into), 4, way);
    assert.equal(share.read(handle, 12, into), 0, way);
    assert.equal(share.read(handle, Number.MAX_SAFE_INTEGER, into), 0, way);
    refused("EINVAL", () => share.read(handle, -1, into));
    share.release(handle);
    refused("EBADF", () => share.read(handle, 0, into));
    const found = entries(share, share.root, 2).map(({ name, ino, type }) => [text(name), ino, type]);
    const expected = readdirSync(folder).map((name) => {
      const stat = lstatSync(path.join(folder, name), { bigint: true });
      return [name, stat.ino, Number(stat.mode >> 12n)];
    });
    const byName = (one: (typeof found)[0], other: (typeof found)[0]): number =>
      String(one[0]) < String(other[0]) ? -1 : 1;
    assert.deepEqual(found.sort(byName), expected.sort(byName), way);
    refused("ENOTDIR", () => share.openFolder(at(share, "file")));
    refused("ENOTDIR", () => share.lookup(at(share, "file"), bytes("x")));
    refused("ENOENT", () => share.lookup(share.root, bytes("nothing")));
    const { blockSize, longestName, blocks } = share.facts();
    const host = statfsSync(folder, { bigint: true });
    assert.deepEqual([blockSize, longestName, blocks], [Number(host.bsize), 255, host.blocks], way);
  }
});

test("R3.1 a FIFO, a socket and a device are looked up and listed, and never opened", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  share.makeNode(share.root, bytes("socket"), made(S_IFSOCK | 0o600), 0);
  const types = new Map(entries(share, share.root).map(({ name, type }) => [text(name), type]));
  assert.equal(types.get("fifo"), 1);
  assert.equal(types.get("socket"), 12);
  for (const name of ["fifo", "socket", "link", "folder"])
    for (const flags of [0, O_WRONLY, O_RDWR]) refused("EACCES", () => share.open(at(share, name), flags));
  refused("EINVAL", () => share.setAttributes(at(share, "fifo"), { size: 0 }));
  refused("EISDIR", () => share.setAttributes(at(share, "folder"), { size: 0 }));
  refused("EACCES", () => share.create(share.root, bytes("fifo"), made(S_IFREG | 0o600), O_RDWR));
  const devices = await shared(t, "/dev", { readOnly: true });
  const zero = devices?.lookup(devices.root, bytes("null"));
  assert.equal(zero?.attributes.mode, lstatSync("/dev/null").mode);
  assert.equal(zero?.attributes.rdev, 0x103);
  refused("EACCES", () => devices?.open(zero?.node ?? 0, 0));
});

test("R3.1 names of any bytes, and of 255, are had; what is no single step is refused", async (t) => {
  const share = await shared(t, temporaryFolder());
  if (share === undefined) return;
  const odd = Uint8Array.of(0xff, 0xfe, 0x0a, 0x20, 0x2e);
  const long = new Uint8Array(255).fill(0x61);
  for (const name of [odd, long, bytes("..."), bytes(".x"), bytes("..x")]) {
    const { node } = share.makeFolder(share.root, name, made(0o755));
    assert.equal(share.lookup(share.root, name).node, node);
    const listed = entries(share, share.root);
    const itself = listed.find((entry) => Buffer.from(entry.name).equals(name));
    assert.equal(itself?.ino, share.attributes(node).ino);
    share.removeFolder(share.root, name);
  }
  refused("ENAMETOOLONG", () => share.lookup(share.root, new Uint8Array(256).fill(0x61)));
  for (const name of ["", ".", "..", "/", "a/b", "../x", "/etc", "a\0b"]) {
    const raw = bytes(name);
    refused("EINVAL", () => share.lookup(share.root, raw));
    refused("EINVAL", () => share.makeFolder(share.root, raw, made(0o755)));
    refused("EINVAL", () => share.makeNode(share.root, raw, made(S_IFREG), 0));
    refused("EINVAL", () => share.create(share.root, raw, made(S_IFREG), O_RDWR));
    refused("EINVAL", () => share.symlink(share.root, raw, bytes("x"), made(0)));
    refused("EINVAL", () => share.link(share.root, share.root, raw));
    refused("EINVAL", () => share.removeFile(share.root, raw));
    refused("EINVAL", () => share.removeFolder(share.root, raw));
    refused("EINVAL", () => share.rename(share.root, raw, share.root, bytes("x"), 0));
    refused("EINVAL", () => share.rename(share.root, bytes("x"), share.root, raw, 0));
  }
});

test("R3.1 files are made, written, cut, synced and given space as the host has them", async (t) => {
  const folder = temporaryFolder();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const file = path.join(folder, "new");
  const { node, handle, attributes } = share.create(share.root, bytes("new"), made(S_IFREG | 0o666), O_RDWR);
  // The guest's umask was applied by the guest; the host's takes nothing more.
  assert.deepEqual(attributes, hostAttributes(file));
  assert.equal(attributes.mode, S_IFREG | 0o666);
  assert.equal(share.write(handle, 3, bytes("hello")), 5);
  assert.equal(readFileSync(file, "latin1"), "\0\0\0hello");
  assert.equal(share.setAttributes(node, { size: 5, handle }).size, 5);
  assert.equal(share.setAttributes(node, { size: 4 }).size, 4);
  share.sync(handle, true);
  share.sync(handle, false);
  share.allocate(handle, 0, 0, 64 * KIB);
  assert.equal(statSync(file).size, 64 * KIB);
  refused("EOPNOTSUPP", () => share.allocate(handle, 1 << 20, 0, 1));
  share.release(handle);
  refused("EEXIST", () => share.create(share.root, bytes("new"), made(S_IFREG), O_RDWR | O_EXCL));
  const again = share.create(share.root, bytes("new"), made(S_IFREG), O_WRONLY | O_TRUNC | O_APPEND);
  assert.equal(again.node, node);
  assert.equal(again.attributes.size, 0);
  share.write(again.handle, 0, bytes("one"));
  share.write(again.handle, 0, bytes("two"));
  assert.equal(readFileSync(file, "latin1"), "onetwo");
  refused("EBADF", () => share.read(again.handle, 0, new Uint8Array(1)));
  share.release(again.handle);
  const reading = share.open(node, O_TRUNC & 0);
  refused("EBADF", () => share.write(reading, 0, bytes("x")));
  refused("EBADF", () => share.allocate(reading, 0, 0, 1));
  refused("EFBIG", () => {
    const writing = share.open(node, O_WRONLY);
    share.write(writing, Number.MAX_SAFE_INTEGER, bytes("x"));
  });
});

test("R3.1 permissions, owners and times are changed as on the host, of links too", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const accessed = { seconds: 12, nanoseconds: 34 };
  const modified = { seconds: -56, nanoseconds: 78 };
  for (const name of ["file", "folder", "link", "fifo"]) {
    const node = at(share, name);
    const changed = share.setAttributes(node, { accessed, modified });
    assert.deepEqual([changed.accessed, changed.modified], [accessed, modified], name);
    const before = Date.now() / 1000 - 10;
    assert.ok(share.setAttributes(node, { modified: "now" }).modified.seconds > before, name);
    assert.deepEqual(share.attributes(node).accessed, accessed, name);
    // To the same it is allowed to everybody.
    share.setAttributes(node, SELF);
    if (name === "link") refused("EOPNOTSUPP", () => share.setAttributes(node, { mode: 0o600 }));
    else assert.equal(share.setAttributes(node, { mode: 0o740 }).mode & 0o7777, 0o740, name);
    if (!isRoot) refused("EPERM", () => share.setAttributes(node, { uid: SELF.uid + 1 }));
    else {
      assert.equal(share.setAttributes(node, { uid: 1234 }).uid, 1234, name);
      assert.equal(share.setAttributes(node, { gid: 4321 }).gid, 4321, name);
      assert.deepEqual(hostAttributes(path.join(folder, name)), share.attributes(node), name);
    }
  }
  assert.equal(readlinkSync(path.join(folder, "link")), "/etc/passwd");
  refused("EINVAL", () =>
    share.setAttributes(at(share, "file"), { accessed: { seconds: 0, nanoseconds: 1e9 } }),
  );
});

test("R3.1 links, folders, FIFOs are made; devices are refused; what is there stays", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const inside = (name: string): string => path.join(folder, name);
  share.symlink(share.root, bytes("to"), bytes("../../elsewhere"), made(0));
  assert.equal(readlinkSync(inside("to")), "../../elsewhere");
  share.makeFolder(share.root, bytes("made"), made(0o777));
  assert.equal(lstatSync(inside("made")).mode, 0o040777);
  share.makeNode(share.root, bytes("pipe"), made(S_IFIFO | 0o622), 0);
  assert.equal(lstatSync(inside("pipe")).mode, S_IFIFO | 0o622);
  share.makeNode(share.root, bytes("plain"), made(0o600), 0);
  assert.equal(lstatSync(inside("plain")).mode, S_IFREG | 0o600);
  refused("EPERM", () => share.makeNode(share.root, bytes("device"), made(S_IFCHR | 0o600), 0x103));
  const linked = share.link(at(share, "file"), at(share, "made"), bytes("linked"));
  assert.equal(linked.node, at(share, "file"));
  assert.equal(linked.attributes.links, 3);
  assert.equal(lstatSync(inside("made/linked")).ino, lstatSync(inside("file")).ino);
  share.link(at(share, "link"), share.root, bytes("link2"));
  assert.ok(lstatSync(inside("link2")).isSymbolicLink());
  for (const name of ["file", "made", "to"]) {
    refused("EEXIST", () => share.symlink(share.root, bytes(name), bytes("x"), made(0)));
    refused("EEXIST", () => share.makeFolder(share.root, bytes(name), made(0o755)));
    refused("EEXIST", () => share.makeNode(share.root, bytes(name), made(S_IFREG), 0));
    refused("EEXIST", () => share.link(at(share, "file"), share.root, bytes(name)));
  }
  refused("ENOENT", () => share.symlink(share.root, bytes("y"), bytes(""), made(0)));
  refused("ENAMETOOLONG", () =>
    share.symlink(share.root, bytes("y"), new Uint8Array(5000).fill(65), made(0)),
  );
  refused("EINVAL", () => share.symlink(share.root, bytes("y"), bytes("a\0b"), made(0)));
});

test("R3.1 names are removed and moved as on the host: ENOTEMPTY, EISDIR, ENOTDIR, EEXIST, exchange", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const { root } = share;
  refused("ENOTEMPTY", () => share.removeFolder(root, bytes("folder")));
  refused("EISDIR", () => share.removeFile(root, bytes("folder")));
  refused("ENOTDIR", () => share.removeFolder(root, bytes("file")));
  refused("EEXIST", () => share.rename(root, bytes("file"), root, bytes("link"), 1));
  refused("EINVAL", () => share.rename(root, bytes("file"), root, bytes("x"), 8));
  refused("EINVAL", () => share.rename(root, bytes("folder"), at(share, "folder"), bytes("x"), 0));
  const file = at(share, "file");
  const below = at(share, "folder/below");
  share.rename(root, bytes("file"), at(share, "folder"), bytes("below"), 2);
  assert.equal(at(share, "folder/below"), file);
  assert.equal(at(share, "file"), below);
  share.rename(root, bytes("file"), root, bytes("link"), 0);
  assert.equal(readFileSync(path.join(folder, "link"), "latin1"), "below");
  share.removeFile(root, bytes("link"));
  share.removeFile(at(share, "folder"), bytes("below"));
  share.removeFolder(root, bytes("folder"));
  assert.deepEqual(readdirSync(folder).sort(), ["fifo", "other"]);
});

test("R3.1 a file that is removed while it is open goes on, by its handle and by its node", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder, { limits: { descriptors: 2 } });
  if (share === undefined) return;
  const node = at(share, "folder/below");
  const handle = share.open(node, O_RDWR);
  share.removeFile(at(share, "folder"), bytes("below"));
  // Others are used meanwhile, more than there are descriptors for.
  for (const name of readdirSync(folder)) at(share, name);
  assert.equal(share.attributes(node, handle).links, 0);
  assert.equal(share.attributes(node).links, 0);
  share.write(handle, 0, bytes("still"));
  assert.equal(share.setAttributes(node, { size: 4 }).size, 4);
  share.release(handle);
});

test("R3.1 a node stays what it is when the host moves the folder that it is in", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const node = at(share, "folder/below");
  const parent = at(share, "folder");
  renameSync(path.join(folder, "folder"), path.join(folder, "moved"));
  assert.equal(content(share, node), "below");
  assert.equal(share.lookup(parent, bytes("below")).node, node);
  assert.equal(at(share, "moved"), parent);
  share.create(parent, bytes("more"), made(S_IFREG | 0o600), O_RDWR);
  assert.ok(existsSync(path.join(folder, "moved", "more")));
});

test("R3.1 what the host changes is seen at once", async (t) => {
  const folder = everyKind();
  for (const [way, share] of await everyWay(t, folder)) {
    const node = at(share, "file");
    writeFileSync(path.join(folder, "file"), `${way} wrote this`);
    assert.equal(share.attributes(node).size, way.length + 11, way);
    assert.equal(content(share, node), `${way} wrote this`, way);
    chmodSync(path.join(folder, "file"), 0o604);
    assert.equal(share.attributes(node).mode & 0o777, 0o604, way);
    utimesSync(path.join(folder, "file"), 5, 6);
    assert.equal(share.attributes(node).modified.seconds, 6, way);
    const before = share.lookup(share.root, bytes("folder")).node;
    writeFileSync(path.join(folder, "folder", way), "");
    assert.ok(
      entries(share, before).some(({ name }) => text(name) === way),
      way,
    );
  }
});

test("R3.1 holes of a sparse file are found where the host has them", async (t) => {
  const folder = temporaryFolder();
  const file = path.join(folder, "sparse");
  const descriptor = openSync(file, "w");
  ftruncateSync(descriptor, 1024 * KIB);
  writeSync(descriptor, "data", 512 * KIB);
  closeSync(descriptor);
  for (const [way, share] of await everyWay(t, folder)) {
    const handle = share.open(at(share, "sparse"), 0);
    if (way === "koffi") {
      const data = share.seek(handle, 0, 3);
      assert.ok(data > 0 && data <= 512 * KIB);
      assert.equal(share.seek(handle, 0, 4), 0);
      assert.ok(share.seek(handle, 512 * KIB, 4) > 512 * KIB);
    } else {
      assert.equal(share.seek(handle, 0, 3), 0, way);
      assert.equal(share.seek(handle, 0, 4), 1024 * KIB, way);
    }
    refused("ENXIO", () => share.seek(handle, 1024 * KIB, 3));
    refused("EINVAL", () => share.seek(handle, 0, 0));
  }
});

test("R3.1 attributes of the user's name space are kept; others are nobody's", async (t) => {
  const share = await shared(t, everyKind());
  if (share === undefined) return;
  const file = at(share, "file");
  const name = bytes("user.colour");
  refused("ENODATA", () => share.getXattr(file, name));
  share.setXattr(file, name, bytes("green"), 1);
  assert.equal(text(share.getXattr(file, name)), "green");
  refused("EEXIST", () => share.setXattr(file, name, bytes("red"), 1));
  share.setXattr(file, name, bytes(""), 2);
  assert.equal(share.getXattr(file, name).length, 0);
  assert.equal(text(share.listXattr(file)), "user.colour\0");
  share.removeXattr(file, name);
  refused("ENODATA", () => share.removeXattr(file, name));
  assert.equal(share.listXattr(file).length, 0);
  for (const other of ["security.capability", "trusted.x", "system.posix_acl_access", "colour", "user"]) {
    refused("EOPNOTSUPP", () => share.getXattr(file, bytes(other)));
    refused("EOPNOTSUPP", () => share.setXattr(file, bytes(other), bytes("x"), 0));
    refused("EOPNOTSUPP", () => share.removeXattr(file, bytes(other)));
  }
  refused("EOPNOTSUPP", () => share.getXattr(at(share, "link"), name));
  refused("EOPNOTSUPP", () => share.listXattr(at(share, "link")));
  refused("ERANGE", () => share.setXattr(file, name, new Uint8Array(1 << 17), 0));
});

test("R3.1 read-only: every call that changes something is EROFS, by every way, and the folder is as before", async (t) => {
  const folder = everyKind();
  for (const [way, share] of await everyWay(t, folder)) {
    if (!share.readOnly) share.close();
    const read = share.readOnly ? share : await shared(t, folder, { readOnly: true });
    if (read === undefined) return;
    const before = readdirSync(folder).map((name) => hostAttributes(path.join(folder, name)));
    const { root } = read;
    const file = at(read, "file");
    const handle = read.open(file, 0);
    for (const call of [
      () => read.open(file, O_WRONLY),
      () => read.open(file, O_RDWR),
      () => read.open(file, O_TRUNC),
      () => read.create(root, bytes("new"), made(S_IFREG | 0o600), 0),
      () => read.create(root, bytes("file"), made(S_IFREG | 0o600), O_RDWR),
      () => read.write(handle, 0, bytes("x")),
      () => read.allocate(handle, 0, 0, 1),
      () => read.setAttributes(file, { mode: 0o777 }),
      () => read.setAttributes(file, { size: 0, handle }),
      () => read.setAttributes(file, { accessed: "now" }),
      () => read.symlink(root, bytes("new"), bytes("x"), made(0)),
      () => read.makeNode(root, bytes("new"), made(S_IFREG), 0),
      () => read.makeNode(root, bytes("new"), made(S_IFCHR), 0),
      () => read.makeFolder(root, bytes("new"), made(0o755)),
      () => read.removeFile(root, bytes("file")),
      () => read.removeFolder(root, bytes("folder")),
      () => read.rename(root, bytes("file"), root, bytes("new"), 0),
      () => read.link(file, root, bytes("new")),
      () => read.setXattr(file, bytes("user.x"), bytes("x"), 0),
      () => read.removeXattr(file, bytes("user.x")),
    ])
      refused("EROFS", call);
    const after = readdirSync(folder).map((name) => hostAttributes(path.join(folder, name)));
    assert.deepEqual(after, before, way);
  }
});

test("R3.1 S_ISUID is never given, nor S_ISGID to a file, and a file that has them loses them before it is written", async (t) => {
  const folder = everyKind();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const mode = (name: string): number => lstatSync(path.join(folder, name)).mode & 0o7777;
  const { node } = share.create(share.root, bytes("new"), made(S_IFREG | 0o6755), O_RDWR);
  assert.equal(mode("new"), 0o755);
  share.setAttributes(node, { mode: 0o6711 });
  assert.equal(mode("new"), 0o711);
  share.makeNode(share.root, bytes("node"), made(S_IFREG | 0o6755), 0);
  assert.equal(mode("node"), 0o755);
  share.makeFolder(share.root, bytes("made"), made(0o7755));
  assert.equal(mode("made"), 0o1755);
  share.setAttributes(at(share, "made"), { mode: 0o6755 });
  assert.equal(mode("made"), 0o2755);
  for (const [flags, change] of [
    [O_WRONLY, undefined],
    [O_TRUNC | O_RDWR, undefined],
    [0, { size: 1 }],
  ] as const) {
    chmodSync(path.join(folder, "file"), 0o6755);
    share.release(share.open(at(share, "file"), 0));
    assert.equal(mode("file"), 0o6755);
    if (change === undefined) {
      const handle = share.open(at(share, "file"), flags);
      share.write(handle, 0, bytes("x"));
    } else share.setAttributes(at(share, "file"), change);
    assert.equal(mode("file"), 0o755);
  }
});

test("R3.1 owners: one for all where it is said so; else a root's share makes files as who asks for them", async (t) => {
  const folder = everyKind();
  const owner = { uid: 7, gid: 8 };
  const share = await shared(t, folder, { owner });
  if (share === undefined) return;
  const { attributes, node } = share.create(
    share.root,
    bytes("mine"),
    { mode: S_IFREG | 0o600, ...owner },
    O_RDWR,
  );
  assert.deepEqual([attributes.uid, attributes.gid], [7, 8]);
  assert.equal(share.attributes(share.root).uid, 7);
  assert.equal(lstatSync(path.join(folder, "mine")).uid, SELF.uid);
  share.setAttributes(node, owner);
  refused("EPERM", () => share.setAttributes(node, { uid: 9 }));
  if (!isRoot) return;
  chmodSync(folder, 0o777);
  const host = await shared(t, folder);
  if (host === undefined) return;
  const asked = { uid: 1234, gid: 2345 };
  const { root } = host;
  for (const found of [
    host.create(root, bytes("a"), { mode: S_IFREG | 0o600, ...asked }, O_RDWR),
    host.makeFolder(root, bytes("b"), { mode: 0o700, ...asked }),
    host.makeNode(root, bytes("c"), { mode: S_IFIFO | 0o600, ...asked }, 0),
    host.symlink(root, bytes("d"), bytes("x"), { mode: 0, ...asked }),
  ])
    assert.deepEqual([found.attributes.uid, found.attributes.gid], [1234, 2345]);
  // Afterwards it is root again.
  assert.equal(host.makeFolder(root, bytes("e"), made(0o700)).attributes.uid, 0);
  chmodSync(folder, 0o755);
  refused("EACCES", () => host.makeFolder(root, bytes("f"), { mode: 0o700, ...asked }));
});

test("R3.1 a large folder is read in pieces of any size, from any place that was come to, each entry once", async (t) => {
  const folder = temporaryFolder();
  const names = Array.from({ length: 5000 }, (_, index) => `a name of some length, number ${index}`);
  for (const name of names) writeFileSync(path.join(folder, name), "");
  const share = await shared(t, folder);
  if (share === undefined) return;
  const all = entries(share, share.root, 777).map(({ name }) => text(name));
  assert.deepEqual([...all].sort(), [...names].sort());
  const handle = share.openFolder(share.root);
  for (const from of [0, 3, 4990, 2500, 1, 4999, 0])
    assert.deepEqual(
      share.readFolder(handle, from, 9).map(({ name }) => text(name)),
      all.slice(from, from + 9),
    );
  assert.deepEqual(share.readFolder(handle, 5000, 9), []);
  assert.deepEqual(share.readFolder(handle, 2 ** 40, 9), []);
  refused("EINVAL", () => share.readFolder(handle, -1, 9));
  unlinkSync(path.join(folder, all[4] ?? ""));
  // What is read from the first again is what is there now.
  assert.equal(share.readFolder(handle, 0, 5000).length, 4999);
  share.syncFolder(handle);
  share.releaseFolder(handle);
  refused("EBADF", () => share.readFolder(handle, 0, 1));
  rmSync(folder, { recursive: true });
  refused("ENOENT", () => share.makeFolder(share.root, bytes("x"), made(0o755)));
});

test("R3.1 what cannot be shared is said: nothing there, a file, the kernel's own files, and changes without koffi", async () => {
  const folder = everyKind();
  const because = async (name: string, readOnly: boolean, words: RegExp): Promise<void> =>
    assert.rejects(
      openHostFolder(name, { readOnly }),
      (error) => error instanceof ShareError && words.test(error.message),
    );
  await because(path.join(folder, "nothing"), true, /no such file or folder/);
  await because(path.join(folder, "file"), true, /found no folder; expected one/);
  await because("/proc", true, /kernel's own/);
  await because(folder, false, /npm install koffi/);
});
