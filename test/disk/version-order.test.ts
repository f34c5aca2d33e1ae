/** The order of versions, by the examples of the UAPI group's Version Format Specification (R3.6). */
import assert from "node:assert/strict";
import test from "node:test";
import { compareVersions } from "../../src/disk/boot-entries/version-order.js";
import { fitsGlob } from "../../src/disk/boot-entries/glob.js";

const OLDER: readonly (readonly [string, string])[] = [
  ["11α", "12"],
  ["123.45-67.88", "123.45-67.89"],
  ["123", "123.1"],
  ["1.0~rc1", "1.0"],
  ["1.0", "1.0^1"],
  ["1.0^1", "1.0.1"],
  ["1.0-1", "1.0^1"],
  ["122.1", "123~rc1-1"],
  ["123~rc1-1", "123"],
  ["123", "123-a"],
  ["123-a", "123-a.1"],
  ["123-a.1", "123-1"],
  ["123-1", "123-1.1"],
  ["123^post1", "123.a-1"],
  ["B", "a"],
  ["a", "1"],
  ["6.1.0-9-amd64", "6.1.0-10-amd64"],
  ["1_2", "1_10"],
];
for (const [a, b] of OLDER)
  test(`R3.6 version ${a} is older than ${b}`, () => {
    assert.ok(compareVersions(a, b) < 0);
    assert.ok(compareVersions(b, a) > 0);
  });

for (const [a, b] of [
  ["1.0", "1.0"],
  ["01", "1"],
  ["1_2", "1+2"],
  ["", ""],
])
  test(`R3.6 versions ${JSON.stringify(a)} and ${JSON.stringify(b)} are the same`, () =>
    assert.equal(compareVersions(a, b), 0));

test("R3.6 patterns: * and ?, whatever the case; one of a thousand stars does not take long", () => {
  assert.ok(fitsGlob("Debian-6.1", "debian*"));
  assert.ok(fitsGlob("abc", "a?c"));
  assert.ok(fitsGlob("", "*"));
  assert.ok(!fitsGlob("abc", "a?"));
  assert.ok(!fitsGlob("abc", "b*"));
  const start = performance.now();
  assert.ok(!fitsGlob("a".repeat(2000), `${"*a".repeat(1000)}b`));
  assert.ok(performance.now() - start < 5000);
});
