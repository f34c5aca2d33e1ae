/** The files of packages as a guest's root: merged /usr, links, what is left out, and hostile packages. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { FileTree } from "../../src/guests/initramfs/file-tree.js";
import { initramfsBytes } from "../../src/guests/index.js";
import type { PackageSet } from "../../src/guests/index.js";
import { addPackages } from "../../src/guests/initramfs/package-files.js";
import { isFault } from "../support/apt-bench.js";
import { debOf } from "../support/archives.js";
import type { TarSource } from "../support/archives.js";

/** Packages by name, as files of a folder that the test removes. */
async function setOf(t: TestContext, packages: Record<string, readonly TarSource[]>): Promise<PackageSet> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-packages-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const write = async ([name, files]: [string, readonly TarSource[]]): Promise<PackageSet["packages"][0]> => {
    const file = path.join(folder, `${name}.deb`);
    await writeFile(file, debOf(files));
    return { name, version: "1", architecture: "amd64", sha256: "", file };
  };
  const written = await Promise.all(Object.entries(packages).map(write));
  return { release: "bookworm", architecture: "amd64", packages: written, cached: true, record: "" };
}

async function lines(t: TestContext, packages: Record<string, readonly TarSource[]>): Promise<string[]> {
  const tree = new FileTree();
  await addPackages(tree, await setOf(t, packages));
  return tree.sorted().map((entry) => {
    const more =
      entry.kind === "symlink" ? ` -> ${entry.target}` : entry.kind === "file" ? ` ${entry.size}` : "";
    return `${entry.kind} ${entry.path}${more}`;
  });
}

const folder = (name: string): TarSource => ({ name, type: "5", mode: 0o755 });
const link = (name: string, linkName: string): TarSource => ({ name, type: "2", linkName });

test("package files: /bin, /sbin and /lib* are links into /usr, whichever way a package stores its files", async (t) => {
  const found = await lines(t, {
    old: [folder("./"), folder("./bin/"), { name: "./bin/tool", text: "12" }, folder("./lib64/")],
    loader: [link("./lib64/ld.so", "/lib/triplet/ld.so"), { name: "./lib/triplet/ld.so", text: "123" }],
    "base-files": [link("./bin", "usr/bin"), link("./lib", "usr/lib"), { name: "usr/bin/new", text: "1" }],
  });
  assert.deepEqual(found, [
    "symlink bin -> usr/bin",
    "symlink lib -> usr/lib",
    "symlink lib64 -> usr/lib64",
    "directory usr",
    "directory usr/bin",
    "file usr/bin/new 1",
    "file usr/bin/tool 2",
    "directory usr/lib",
    "directory usr/lib/triplet",
    "file usr/lib/triplet/ld.so 3",
    "directory usr/lib64",
    "symlink usr/lib64/ld.so -> /lib/triplet/ld.so",
  ]);
});

test("package files: hard links are files of their own, documentation stays away", async (t) => {
  const found = await lines(t, {
    perl: [
      { name: "./usr/bin/perl", text: "perl" },
      { name: "./usr/bin/perl5", type: "1", linkName: "./usr/bin/perl" },
      { name: "./usr/bin/perl5.36", type: "1", linkName: "./usr/bin/perl5" },
      folder("./usr/share/doc/"),
      { name: "./usr/share/doc/perl/README", text: "read" },
      { name: "./usr/share/docs-not", text: "kept" },
    ],
  });
  assert.deepEqual(
    found.filter((line) => line.startsWith("file")),
    ["file usr/bin/perl 4", "file usr/bin/perl5 4", "file usr/bin/perl5.36 4", "file usr/share/docs-not 4"],
  );
});

test("package files: whose a file, a folder and a link are is kept", async (t) => {
  const tree = new FileTree();
  const own = { user: 6, group: 42 };
  const files = [
    { ...folder("./var/"), ...own },
    { name: "./var/a", text: "1", mode: 0o2755, ...own },
    { ...link("./var/b", "a"), ...own },
    { name: "./var/c", type: "1", linkName: "./var/a", mode: 0o2755, ...own },
  ];
  await addPackages(tree, await setOf(t, { one: files }));
  assert.deepEqual(
    tree.sorted().map(({ path, owner }) => [path, owner]),
    ["var", "var/a", "var/b", "var/c"].map((path) => [path, own]),
  );
});

test("package files: packages may share folders and links, and no file", async (t) => {
  const shared = [folder("./usr/"), link("./usr/link", "target")];
  assert.deepEqual(await lines(t, { one: shared, two: shared }), [
    "directory usr",
    "symlink usr/link -> target",
  ]);
  await assert.rejects(
    lines(t, { one: [{ name: "./etc/x", text: "1" }], two: [{ name: "./etc/x", text: "2" }] }),
    isFault("usage", /^two 1: initramfs: "etc\/x" is there already$/),
  );
});

test("package files: a path that leaves the root, a device, a hard link to nowhere and links in a circle are refused", async (t) => {
  const hostile: [readonly TarSource[], RegExp][] = [
    [[{ name: "../etc/passwd", text: "x" }], /leaves the root: "\.\.\/etc\/passwd"/],
    [[{ name: "./usr/../../etc/passwd", text: "x" }], /leaves the root/],
    [[{ name: "./dev/sda", type: "4" }], /dev\/sda is neither a file, a link nor a folder/],
    [
      [{ name: "./x", type: "1", linkName: "/etc/shadow" }],
      /x is a link to \/etc\/shadow, which is not there/,
    ],
    [[link("./a", "b"), link("./b", "a"), { name: "./a/x", text: "x" }], /more than 40 links/],
    [
      [
        { name: "./f", text: "x" },
        { name: "./f/x", text: "x" },
      ],
      /leads through f, which is a file/,
    ],
  ];
  for (const [files, expected] of hostile) {
    await assert.rejects(
      lines(t, { evil: files }),
      (error: Error) => expected.test(error.message),
      `${expected}`,
    );
  }
});

test("package files: a link out of the root leads nowhere but into the root", async (t) => {
  const found = await lines(t, { evil: [link("./out", "../../.."), { name: "./out/x", text: "x" }] });
  assert.deepEqual(found, ["symlink out -> ../../..", "file x 1"]);
});

test("initramfs: with packages busybox lies in the merged /usr, and their shell and accounts are kept", async (t) => {
  const busybox = new TextEncoder().encode("\x7fELF");
  const packages = await setOf(t, {
    dash: [link("./bin/sh", "dash"), { name: "./bin/dash", text: "dash" }],
    accounts: [{ name: "./etc/passwd", text: "theirs" }],
  });
  const text = Buffer.from(await initramfsBytes({ busybox, packages, command: "true" })).toString("latin1");
  const again = Buffer.from(await initramfsBytes({ busybox, packages, command: "true" })).toString("latin1");
  assert.equal(text, again, "the same packages give the same bytes");
  assert.match(text, /bin\0+usr\/bin\0*070701/);
  assert.match(text, /usr\/bin\/busybox\0/);
  assert.match(text, /usr\/bin\/sh\0+dash070701/);
  assert.match(text, /etc\/passwd\0+theirs/);
  assert.doesNotMatch(text, /root:x:0:0/);
});
