/** R3.10: random numbers for guests come from the system, without what Node would have to load for them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { randomWords } from "../../src/host/node/random-words.js";
import { scratch } from "../support/disk-tools.js";

const COUNT = 1000;

function take(next: () => number): Set<number> {
  return new Set(Array.from({ length: COUNT }, next));
}

test("R3.10 random words are whole, and no word comes twice, with the system's device and without one", (t) => {
  const file = path.join(scratch(t), "no-device");
  writeFileSync(file, new Uint8Array(1 << 16));
  for (const next of [randomWords(), randomWords(file), randomWords(`${file}.none`)]) {
    const words = take(next);
    // Two of a thousand are equal once in 8,000 times, four never.
    assert.ok(words.size > COUNT - 3, `${words.size}`);
    assert.ok([...words].every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff));
    assert.ok([...words].some((word) => word > 0x7fffffff));
  }
});

test(
  "R3.10 where the system has such a device, nothing of Node's cryptography is loaded",
  { skip: process.platform === "win32" },
  () => {
    const module = new URL("../../src/host/node/random-words.js", import.meta.url).href;
    const script = `
    const { randomWords } = await import(${JSON.stringify(module)});
    randomWords()();
    process.stdout.write(process.moduleLoadList.filter((name) => /crypto\\/webcrypto/.test(name)).join());`;
    const options = { encoding: "utf8" } as const;
    assert.equal(execFileSync(process.execPath, ["--input-type=module", "-e", script], options), "");
  },
);
