/** R1.10 Kernels by the name of a release: which guest each is, and that no two names fight over one folder of the cache. */
import assert from "node:assert/strict";
import test from "node:test";
import { CATALOGUE } from "../../src/guests/catalogue/catalogue.js";
import { suiteKernel, suiteNames } from "../../src/guests/catalogue/suite-kernels.js";

test("R1.10 suites: a release's name is the catalogue's guest where there is one, else one of the same kind from its suite", () => {
  const known: Record<string, [name: string, release: string]> = {
    "debian-11": ["debian-11-cloud", "bullseye"],
    bullseye: ["debian-11-cloud", "bullseye"],
    "debian-12": ["debian-cloud", "bookworm"],
    trixie: ["debian-13-cloud", "trixie"],
    "debian-14": ["debian-14-cloud", "forky"],
    testing: ["testing-cloud", "testing"],
    sid: ["debian-sid-cloud", "sid"],
  };
  for (const [name, expected] of Object.entries(known)) {
    const entry = suiteKernel(name);
    assert.deepEqual([entry?.name, entry?.target.release], expected);
  }
  assert.equal(suiteKernel("debian-cloud"), undefined);
  assert.equal(suiteKernel("debian-12-cloud"), undefined);
});

test("R1.10 suites: a guest is found again by its name in the cache, and no name is the catalogue's", () => {
  const catalogue = CATALOGUE.map(({ name }) => name);
  for (const name of suiteNames()) {
    assert.ok(!catalogue.includes(name), name);
    const entry = suiteKernel(name);
    assert.ok(entry !== undefined);
    if (catalogue.includes(entry.name)) continue;
    assert.deepEqual(suiteKernel(entry.name), entry);
  }
});
