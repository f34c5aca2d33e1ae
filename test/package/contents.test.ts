/** What the package holds: the program in few files, what its entries name, the documents, and nothing that only the sources need. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { repositoryRoot, repositoryText } from "../support/repository.js";

const MOST_FILES = 150;

interface Manifest {
  bin: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
}

/** Paths as npm would pack them, of the tree as it is built. */
function packed(): string[] {
  const { stdout, stderr } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: repositoryRoot,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  assert.ok(stdout.startsWith("["), stderr);
  return (JSON.parse(stdout) as { files: { path: string }[] }[])[0].files.map((one) => one.path);
}

const files = packed();

test(`R1.10 the package has ${MOST_FILES} files at most, and no sources, tests, maps or notes of the build`, () => {
  assert.ok(files.length <= MOST_FILES, `${files.length} files`);
  const kinds =
    /^(dist\/(run|browser|types)\/|docs\/|(ARCHITECTURE|CHANGELOG|RATIONALE|README)\.md$|LICENSE$|action\.yml$|package\.json$)/;
  assert.deepEqual(
    files.filter((one) => !kinds.test(one) || /\.map$|test|\.tsbuildinfo$|parts\.json$/.test(one)),
    [],
  );
});

test("R1.10 every page of docs and every schema is in the package", () => {
  const pages = readdirSync(path.join(repositoryRoot, "docs"), { recursive: true, encoding: "utf8" });
  const wanted = pages.filter((one) => /\.(md|json)$/.test(one)).map((one) => `docs/${one}`);
  assert.ok(wanted.length > 20, "the folder was read");
  assert.deepEqual(
    wanted.filter((one) => !files.includes(one)),
    [],
  );
});

test("R1.10 whatever a page of the package links to or names as a page is in it", () => {
  const pages = files.filter((one) => one.endsWith(".md"));
  const named = pages.flatMap((page) => {
    const text = repositoryText(page);
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) =>
      path.posix.join(path.posix.dirname(page), link),
    );
    const names = [...text.matchAll(/`((?:docs\/[\w-]+|[A-Z]+)\.md|action\.yml)`/g)].map(([, name]) => name);
    return [...links, ...names].map((one) => `${page}: ${one}`);
  });
  assert.ok(named.length > 50, "there are some");
  assert.deepEqual(
    named.filter((one) => !files.includes(one.split(": ")[1])),
    [],
  );
});

test("R1.10 whatever package.json says can be started or imported is in the package", () => {
  const { bin, exports } = JSON.parse(repositoryText("package.json")) as Manifest;
  const named = Object.values(exports).flatMap((one) =>
    typeof one === "string" ? [one] : Object.values(one),
  );
  // Declarations are made when it is packed: installed.full.test.ts looks at them.
  const built = [...Object.values(bin), ...named].filter((one) => !one.startsWith("./dist/types/"));
  assert.ok(built.length >= 3, "there are some");
  assert.deepEqual(
    built.filter((one) => !files.includes(path.posix.normalize(one))),
    [],
  );
});
