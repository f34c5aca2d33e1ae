/** The tree of a guest's files: paths are led through links as Linux would, and never out of the root. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { CpioEntry } from "../../src/guests/archives/cpio.js";
import { GuestError } from "../../src/guests/errors.js";
import { FileTree } from "../../src/guests/initramfs/file-tree.js";

const directory = (path: string, mode = 0o755): CpioEntry => ({ kind: "directory", path, mode });
const symlink = (path: string, target: string): CpioEntry => ({ kind: "symlink", path, mode: 0o777, target });
const file = (path: string, size = 0): CpioEntry => ({
  kind: "file",
  path,
  mode: 0o644,
  size,
  content: () => [new Uint8Array(size)],
});

function pathsOf(tree: FileTree): string[] {
  return tree.sorted().map(({ path }) => path);
}

test("file tree: folders are made, each before what it holds", () => {
  const tree = new FileTree();
  tree.add(file("usr/bin/true"));
  tree.add(file("etc/passwd"));
  assert.deepEqual(pathsOf(tree), ["etc", "etc/passwd", "usr", "usr/bin", "usr/bin/true"]);
});

test("file tree: a path through links ends where Linux would put it, inside the root", () => {
  const cases: [target: string, expected: string][] = [
    ["usr/lib", "usr/lib/x"],
    ["/usr/lib", "usr/lib/x"],
    ["./usr/./lib/", "usr/lib/x"],
    ["../../../etc", "etc/x"],
    ["/../../etc", "etc/x"],
    ["/", "x"],
    ["..", "x"],
  ];
  for (const [target, expected] of cases) {
    const tree = new FileTree();
    tree.add(symlink("lib", target));
    tree.add(file("lib/x"));
    assert.equal(tree.at(expected)?.kind, "file", target);
    assert.equal(tree.at("lib")?.kind, "symlink", target);
  }
});

test("file tree: links to links are followed, a circle is refused", () => {
  const tree = new FileTree();
  tree.add(symlink("a", "b"));
  tree.add(symlink("b", "c/d"));
  tree.add(file("a/x"));
  assert.equal(tree.at("c/d/x")?.kind, "file");
  tree.add(symlink("round", "about"));
  tree.add(symlink("about", "round"));
  assert.throws(() => tree.add(file("round/x")), /leads through more than 40 links/);
});

test("file tree: paths that are not plain, or lead through a file, are refused", () => {
  const tree = new FileTree();
  tree.add(file("file"));
  for (const path of ["", "/", "/etc", "a//b", "a/", "./a", "../a", "a/../b", "a/..", "a\0b", "file/below"]) {
    assert.throws(() => tree.add(file(path)), GuestError, JSON.stringify(path));
  }
});

test("file tree: what is there is replaced, kept or refused as asked; folders meet", () => {
  const tree = new FileTree();
  tree.add(file("f", 1));
  tree.add(file("f", 2), "keep");
  assert.equal((tree.at("f") as { size: number }).size, 1);
  assert.throws(() => tree.add(file("f", 2), "refuse"), /"f" is there already/);
  tree.add(file("f", 2));
  assert.equal((tree.at("f") as { size: number }).size, 2);
  tree.add(directory("d", 0o700));
  tree.add(directory("d", 0o755), "refuse");
  assert.equal(tree.at("d")?.mode, 0o700);
  tree.add(directory("d", 0o755));
  assert.equal(tree.at("d")?.mode, 0o755);
  for (const collision of ["replace", "refuse"] as const) {
    assert.throws(() => tree.add(file("d"), collision), /"d" is a file where there is a directory/);
    assert.throws(() => tree.add(directory("f"), collision), /"f" is a directory where there is a file/);
  }
});

test("file tree: a folder that is a link stays one", () => {
  const tree = new FileTree();
  tree.add(symlink("lib", "usr/lib"));
  tree.add(directory("lib"));
  assert.equal(tree.at("lib")?.kind, "symlink");
  assert.equal(tree.at("usr/lib")?.kind, "directory");
});

test("file tree: whatever is added, every path is plain and lies in folders of the tree", () => {
  const part = fc.constantFrom("a", "b", "c", "..", ".", "");
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const entry = fc.oneof(
    path.map((p) => file(p)),
    path.map((p) => directory(p)),
    fc.tuple(path, path, fc.boolean()).map(([p, to, absolute]) => symlink(p, absolute ? `/${to}` : to)),
  );
  const property = fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
    const tree = new FileTree();
    for (const one of entries) {
      try {
        tree.add(one, "refuse");
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
    for (const { path: found } of tree.sorted()) {
      const parts = found.split("/");
      assert.ok(
        parts.every((name) => /^[abc]$/.test(name)),
        found,
      );
      for (let depth = 1; depth < parts.length; depth++) {
        assert.equal(tree.at(parts.slice(0, depth).join("/"))?.kind, "directory", found);
      }
    }
  });
  fc.assert(property, { numRuns: 500 });
});
