/**
 * Rules for what is committed: documents name only files that exist, nothing tells on the machine it was written
 * on, dependencies are pinned, the lockfile works with any registry.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { repositoryFiles, repositoryRoot, repositoryText } from "../support/repository.js";

const DOCUMENTS = repositoryFiles().filter((file) => file.endsWith(".md"));
/** A word in backticks that can only be a path of this repository. */
const PATH_WORD = /`((?:src|test|tools|bench|docs|\.ci)\/[\w./-]*|[A-Z]+\.md)`/g;
const LINK = /\]\((?!https?:|#)([^)#\s]+)/g;
/** A source's or a page's name in backticks, with or without folders before it. */
const FILE_WORD = /`([\w./-]+\.(?:ts|mjs|md))`/g;
/** Files that pages show whole, or speak of as somebody's own. */
const EXAMPLE = /^```\w+ file=(\S+)$/gm;
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

const matched = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "");

/** Paths of a text that lead nowhere: from the repository's root in backticks, from the document's folder in links. */
function lostPaths(text: string, folder: string): string[] {
  const named = matched(text, PATH_WORD);
  const linked = matched(text, LINK).map((name) => path.posix.join(folder, name));
  return [...named, ...linked].filter((name) => !existsSync(path.join(repositoryRoot, name)));
}

/** Names of files of a text that no file of ours ends with. */
function lostFiles(text: string, files: readonly string[]): string[] {
  const examples = new Set(matched(text, EXAMPLE));
  return matched(text, FILE_WORD).filter(
    (name) => !examples.has(name) && !files.some((file) => `/${file}`.endsWith(`/${name}`)),
  );
}

for (const document of DOCUMENTS) {
  test(`documents: ${document} names only files that exist`, () => {
    const text = repositoryText(document);
    assert.deepEqual(lostPaths(text, path.posix.dirname(document)), []);
    assert.deepEqual(lostFiles(text, repositoryFiles()), []);
  });
}

test("documents: a file that is not there is found", () => {
  const files = ["src/a/b.ts"];
  assert.deepEqual(lostPaths("`src/nowhere.ts` and [a](b.md)", "docs"), ["src/nowhere.ts", "docs/b.md"]);
  assert.deepEqual(lostFiles("`b.ts`, `a/b.ts`, `ab.ts`, `c.mjs`", files), ["ab.ts", "c.mjs"]);
  assert.deepEqual(lostFiles("`c.ts`\n```ts file=c.ts\n```", files), []);
});

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
