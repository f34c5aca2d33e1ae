/** R3.1: no name, link, mount or race leads a guest out of the folder that it is given. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { HostFolder } from "../../../src/host/node/share/host-folder.js";
import { PathCalls } from "../../../src/host/node/share/path-calls.js";
import { openHostFolder } from "../../../src/host/node/share/share-folder.js";
import { FileError } from "../../../src/share/file-backend.js";
import {
  at,
  bytes,
  content,
  entries,
  made,
  refused,
  shared,
  temporaryFolder,
  text,
} from "./share-under-test.js";

const SWAPPER = fileURLToPath(new URL("./swapper.js", import.meta.url));
const S_IFREG = 0o100000;
const O_RDWR = 2;
const RACE_MS = 2000;

/** A folder by each way to read it; by koffi's calls it may be changed. */
async function everyWay(t: TestContext, folder: string): Promise<HostFolder[]> {
  const native = await shared(t, folder);
  const plain = await openHostFolder(folder, { readOnly: true });
  const calls = new PathCalls();
  const limits = { nodes: 10_000, descriptors: 100, handles: 100 };
  const paths = new HostFolder(calls, calls.openRoot(folder), { readOnly: true, owner: "host", limits });
  t.after(() => {
    plain.close();
    paths.close();
  });
  return native === undefined ? [plain, paths] : [native, plain, paths];
}

test("R3.1 a link is never followed: it is its target's text, whatever it leads to", async (t) => {
  const folder = temporaryFolder();
  symlinkSync("/", path.join(folder, "root"));
  symlinkSync("..", path.join(folder, "up"));
  symlinkSync("/etc/passwd", path.join(folder, "file"));
  symlinkSync("/proc/self/fd/0", path.join(folder, "magic"));
  for (const share of await everyWay(t, folder))
    for (const name of readdirSync(folder)) {
      const { node, attributes } = share.lookup(share.root, bytes(name));
      assert.equal(attributes.ino, lstatSync(path.join(folder, name), { bigint: true }).ino);
      for (const below of ["etc", "passwd", "x"]) refused("ENOTDIR", () => share.lookup(node, bytes(below)));
      refused("EACCES", () => share.open(node, 0));
      refused("ENOTDIR", () => share.openFolder(node));
      if (share.readOnly) continue;
      refused("ENOTDIR", () => share.create(node, bytes("x"), made(S_IFREG | 0o600), O_RDWR));
      refused("ENOTDIR", () => share.makeFolder(node, bytes("x"), made(0o700)));
      refused("ENOTDIR", () => share.removeFile(node, bytes("x")));
      refused("EACCES", () => share.create(share.root, bytes(name), made(S_IFREG | 0o600), O_RDWR));
      refused("EINVAL", () => share.setAttributes(node, { size: 0 }));
    }
  assert.ok(statSync("/etc/passwd").size > 0);
});

/** What the share has at a moment, by names below a folder that is exchanged with a link; refusals aside. */
function walk(share: HostFolder, seen: (ino: bigint, text: string) => void): void {
  const trying = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
  };
  for (const name of ["swapped", "link"])
    trying(() => {
      const found = share.lookup(share.root, bytes(name));
      trying(() => {
        const below = share.lookup(found.node, bytes("hostname"));
        const isOpened = (below.attributes.mode & 0o170000) === S_IFREG;
        trying(() => seen(below.attributes.ino, isOpened ? content(share, below.node) : ""));
        share.forget(below.node, 1);
      });
      trying(() => entries(share, found.node).forEach((entry) => seen(entry.ino, text(entry.name))));
      if (!share.readOnly)
        trying(() => {
          const { node, handle } = share.create(found.node, bytes("made"), made(S_IFREG | 0o600), O_RDWR);
          share.release(handle);
          share.forget(node, 1);
          share.removeFile(found.node, bytes("made"));
        });
      share.forget(found.node, 1);
    });
}

test("R3.1 a folder that another process exchanges with a link to outside for 2 s: nothing outside is seen, read or made", async (t) => {
  const outside = temporaryFolder();
  writeFileSync(path.join(outside, "hostname"), "outside");
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, "swapped"));
  writeFileSync(path.join(folder, "swapped", "hostname"), "inside");
  symlinkSync(outside, path.join(folder, "link"));
  const shares = (await everyWay(t, folder)).slice(0, -1);
  const there = ["hostname"].map((name) => lstatSync(path.join(outside, name), { bigint: true }).ino);
  const swapper = spawn(
    process.execPath,
    [SWAPPER, path.join(folder, "swapped"), path.join(folder, "link")],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const ended = new Promise((resolve) => swapper.once("exit", resolve));
  let inside = 0;
  try {
    await new Promise((resolve) => swapper.stdout.once("data", resolve));
    const until = Date.now() + RACE_MS;
    while (Date.now() < until)
      for (const share of shares)
        walk(share, (ino, what) => {
          assert.ok(!there.includes(ino), "a file outside was seen");
          assert.notEqual(what, "outside");
          if (what === "inside") inside++;
        });
  } finally {
    swapper.kill("SIGKILL");
    await ended;
  }
  // The race was one: what is inside was come to.
  assert.ok(inside > 0);
  assert.deepEqual(readdirSync(outside), ["hostname"]);
});

test("R3.1 mounts below are followed with numbers of their own, but for the kernel's own files, and EXDEV is the host's", async (t) => {
  const tmp = path.resolve(tmpdir());
  if (!lstatSync("/dev/shm", { throwIfNoEntry: false })?.isDirectory()) return t.skip("no /dev/shm");
  if (statSync("/dev/shm").dev === statSync(tmp).dev) return t.skip("/dev/shm is no file system of its own");
  const one = temporaryFolder();
  const other = temporaryFolder("/dev/shm");
  writeFileSync(path.join(one, "file"), "here");
  writeFileSync(path.join(other, "file"), "there");
  const share = await shared(t, "/");
  if (share === undefined) return;
  const there = share.attributes(at(share, path.join(other, "file")));
  assert.equal(there.ino >> 63n, 1n);
  assert.equal(there.ino & ((1n << 48n) - 1n), lstatSync(path.join(other, "file"), { bigint: true }).ino);
  assert.equal(entries(share, at(share, other))[0]?.ino, there.ino);
  assert.equal(content(share, at(share, path.join(other, "file"))), "there");
  refused("EXDEV", () => share.rename(at(share, one), bytes("file"), at(share, other), bytes("new"), 0));
  refused("EXDEV", () => share.link(at(share, path.join(one, "file")), at(share, other), bytes("new")));
  // The same in another run.
  const again = await shared(t, "/", { readOnly: true });
  if (again === undefined) return;
  assert.equal(again.attributes(at(again, path.join(other, "file"))).ino, there.ino);
  for (const reader of [share, again, await openHostFolder("/", { readOnly: true })]) {
    const proc = at(reader, "proc");
    assert.equal(reader.attributes(proc).mode & 0o170000, 0o040000);
    refused("EACCES", () => reader.lookup(proc, bytes("self")));
    refused("EACCES", () => reader.lookup(proc, bytes(String(process.pid))));
    refused("EACCES", () => reader.openFolder(proc));
  }
});

/** A name in memory that a guest has too, and changes the moment after it was found to be one. */
class ShiftyName extends Uint8Array {
  override includes(byte: number): boolean {
    const found = super.includes(byte);
    if (byte === 0) this.set(bytes(".."));
    return found;
  }
}

test("R3.1 a name whose bytes change after it was looked at is the one that was looked at", async (t) => {
  const folder = temporaryFolder();
  const share = await shared(t, folder);
  if (share === undefined) return;
  const shifty = (): Uint8Array => new ShiftyName(bytes("ab"));
  refused("ENOENT", () => share.lookup(share.root, shifty()));
  const { node } = share.makeFolder(share.root, shifty(), made(0o755));
  assert.deepEqual(readdirSync(folder), ["ab"]);
  assert.equal(share.lookup(share.root, shifty()).node, node);
  refused("ENOENT", () => share.rename(share.root, bytes("x"), share.root, shifty(), 0));
  share.removeFolder(share.root, shifty());
  assert.deepEqual(readdirSync(folder), []);
  const ring = new Uint8Array(new SharedArrayBuffer(4));
  ring.set(bytes("a/.."));
  refused("EINVAL", () => share.lookup(share.root, ring));
});
