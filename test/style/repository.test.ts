/**
 * Rules for what is committed: documents name only files that exist, nothing tells on the machine it was written
 * on, dependencies are pinned, the lockfile works with any registry.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { repositoryFiles, repositoryRoot, repositoryText } from "../support/repository.js";

const DOCUMENTS = [
  "README.md",
  "ARCHITECTURE.md",
  "RATIONALE.md",
  "CHANGELOG.md",
  "docs/engine.md",
  "docs/freebsd-arm-xen.md",
  "docs/trace-compare.md",
];
/** A word in backticks that can only be a path of this repository. */
const PATH_WORD = /`((?:src|test|tools|bench|docs|\.ci)\/[\w./-]*|[A-Z]+\.md)`/g;
const LINK = /\]\((?!https?:|#)([^)#\s]+)/g;
/** Written as classes, so that this file does not match itself. */
const TELL_TALES = [
  /[/]work[/]/,
  /[/]Users[/]\w/,
  /registry[.](?:npmjs|yarnpkg|npmmirror)/,
  /https?:[/][/][^/\s"']*registry/,
];
const EXACT_VERSION = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

interface Manifest {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** Paths that a document names, as written. */
function namedPaths(document: string): string[] {
  const text = repositoryText(document);
  return [PATH_WORD, LINK].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ""));
}

for (const document of DOCUMENTS) {
  test(`documents: ${document} names only files that exist`, () => {
    const lost = namedPaths(document).filter((name) => !existsSync(path.join(repositoryRoot, name)));
    assert.deepEqual(lost, []);
  });
}

test("repository: nothing names the machine it was written on or a package registry's host", () => {
  const telling = repositoryFiles().filter((file) => {
    const text = readFileSync(path.join(repositoryRoot, file), "latin1");
    return TELL_TALES.some((pattern) => pattern.test(text));
  });
  assert.deepEqual(telling, []);
});

test("repository: every dependency is pinned to one version", () => {
  const manifest = JSON.parse(repositoryText("package.json")) as Manifest;
  const all = Object.entries({
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.devDependencies,
  });
  assert.ok(all.length > 0);
  assert.deepEqual(
    all.filter(([, version]) => !EXACT_VERSION.test(version)),
    [],
  );
});

test("repository: the lockfile names no download address and holds an integrity hash for every package", () => {
  const lock = JSON.parse(repositoryText("package-lock.json")) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  const installed = Object.entries(lock.packages).filter(([name]) => name !== "");
  assert.ok(installed.length > 0);
  assert.deepEqual(
    installed.filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
  assert.deepEqual(
    installed.filter(([, { integrity }]) => integrity === undefined),
    [],
  );
});
