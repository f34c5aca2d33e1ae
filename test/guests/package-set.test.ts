/** Packages with all they depend on: by the real apt from an archive in a folder. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { fetchPackages } from "../../src/guests/index.js";
import type { PackageSet } from "../../src/guests/index.js";
import { aptBench, isFault, setEnvironment } from "../support/apt-bench.js";
import type { RepositoryPackage } from "../support/apt-repository.js";

function fromArchive(name: string, more: Partial<RepositoryPackage> = {}): RepositoryPackage {
  return { name, version: "1", files: [{ name: `./usr/share/${name}`, text: name }], ...more };
}

const versions = (set: PackageSet): string[] => set.packages.map(({ name, version }) => `${name} ${version}`);

test("packages: dependencies are followed as apt does: versions, alternatives, what others provide", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([
    fromArchive("tool", { depends: "library (>= 2), nothing-has-this | other, virtual" }),
    fromArchive("library", { version: "1:2-3", depends: "base" }),
    fromArchive("other"),
    fromArchive("provider", { provides: "virtual (= 7)" }),
    fromArchive("base"),
    fromArchive("unrelated"),
  ]);
  const set = await fetchPackages({ packages: ["tool"] }, made.options);
  assert.deepEqual(versions(set), ["base 1", "library 1:2-3", "other 1", "provider 1", "tool 1"]);
  assert.equal(set.cached, false);
  for (const { file } of set.packages) assert.ok((await readFile(file)).length > 0);
});

test("packages: what is assumed stays away with all that only it needs, also by what it provides", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([
    fromArchive("tool", { depends: "debconf-2.0, hooks" }),
    fromArchive("debconf", { provides: "debconf-2.0", depends: "perl-base" }),
    fromArchive("perl-base"),
    fromArchive("hooks", { depends: "more-hooks" }),
    fromArchive("more-hooks"),
  ]);
  const all = await fetchPackages({ packages: ["tool"] }, made.options);
  assert.deepEqual(versions(all), ["hooks 1", "more-hooks 1", "tool 1"]);
  const few = await fetchPackages({ packages: ["tool"], assume: ["hooks", "never-heard-of"] }, made.options);
  assert.deepEqual(versions(few), ["tool 1"]);
  // What is asked for by name comes even if it usually stays away.
  const named = await fetchPackages({ packages: ["tool", "debconf"], assume: ["hooks"] }, made.options);
  assert.deepEqual(versions(named), ["debconf 1", "perl-base 1", "tool 1"]);
});

test("packages: a set that was fetched needs neither apt nor the archive; a damaged file is fetched again", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([fromArchive("tool", { depends: "library" }), fromArchive("library")]);
  const first = await fetchPackages({ packages: ["tool"] }, made.options);
  await writeFile(first.packages[0].file, "tampered");
  const second = await fetchPackages({ packages: ["tool"] }, made.options);
  assert.equal(second.cached, false);
  await made.repository.takeDown();
  setEnvironment(t, { PATH: made.options.cacheFolder });
  const third = await fetchPackages({ packages: ["tool", "tool"] }, made.options);
  assert.deepEqual({ ...third, cached: false }, first);
  assert.equal(third.cached, true);
});

test("packages: a version that was retired since the lists were fetched is looked up again", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([fromArchive("tool")]);
  await fetchPackages({ packages: ["tool"] }, made.options);
  await made.repository.publish([fromArchive("tool", { version: "2" })]);
  await rm(path.join(made.options.cacheFolder, "packages"), { recursive: true });
  assert.deepEqual(versions(await fetchPackages({ packages: ["tool"] }, made.options)), ["tool 2"]);
});

test("packages: one that there is not, and ones that exclude each other, are refused in apt's words", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([fromArchive("tool", { depends: "library (>= 2)" }), fromArchive("library")]);
  await assert.rejects(
    fetchPackages({ packages: ["nowhere"] }, made.options),
    isFault("not-found", /cannot install nowhere:\nE: Unable to locate package nowhere/),
  );
  await assert.rejects(
    fetchPackages({ packages: ["tool"] }, made.options),
    isFault("not-found", /tool : Depends: library \(>= 2\)/),
  );
});

test("packages: a package whose bytes are not the signed index's is refused", async (t) => {
  const made = await aptBench(t);
  if (!made) return;
  await made.repository.publish([fromArchive("tool")]);
  const file = made.repository.packageFile("tool", "1");
  const bytes = await readFile(file);
  bytes[bytes.length - 1500] ^= 1;
  await writeFile(file, bytes);
  await assert.rejects(fetchPackages({ packages: ["tool"] }, made.options), isFault("fetch", /Hash Sum/));
});

test("packages: what is no name of a package, a release or an architecture never reaches apt", async () => {
  for (const odd of ["", "-y", "--option=X", "../x", "a b", "Tool", "a;b", "x=", "tool=-o"]) {
    await assert.rejects(
      fetchPackages({ packages: [odd] }),
      isFault("usage", /is no name of a package/),
      odd,
    );
    await assert.rejects(fetchPackages({ packages: ["a"], assume: [odd] }), isFault("usage", /is no name/));
  }
  for (const place of ["..", "a/b", "", "-x"]) {
    await assert.rejects(fetchPackages({ packages: ["a"], release: place }), isFault("usage", /a release/));
    await assert.rejects(
      fetchPackages({ packages: ["a"], architecture: place }),
      isFault("usage", /a release/),
    );
  }
  await assert.rejects(fetchPackages({ packages: [] }), isFault("usage", /no package is named/));
});
