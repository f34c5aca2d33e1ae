/** 30,000 damaged images and streams (the fuzz target's first seeds). */
import assert from "node:assert/strict";
import test from "node:test";
import { CODEC_NAMES } from "../../src/codecs/decompress.js";
import { cutEverywhere, fuzzFormats } from "./formats.js";
import type { FuzzReport } from "./formats.js";

const CASES = 30_000;
const SLOWEST = 2_000;
const MEMORY = 1 << 29;

/** Both ends were reached for everything, nothing was slow, memory stayed bounded. */
function judge({ outcomes, slowest, memory }: FuzzReport): void {
  const seen = [...outcomes.keys()].sort().join(", ");
  const arm = ["zimage", "zimage with payload", "arm64-image", "uimage", "fit"];
  const kinds = ["elf", "bzimage", "bzimage with payload", "firmware", ...arm, ...CODEC_NAMES];
  for (const kind of kinds)
    assert.ok((outcomes.get(`${kind} read`) ?? 0) > 0, `${kind} was never read: ${seen}`);
  for (const codec of CODEC_NAMES)
    assert.ok(outcomes.has(`${codec} refused`), `${codec} never refused: ${seen}`);
  assert.ok((outcomes.get("unrecognised refused") ?? 0) > 100, seen);
  assert.ok(slowest.milliseconds < SLOWEST, `seed ${slowest.seed} took ${slowest.milliseconds} ms`);
  assert.ok(memory < MEMORY, `array buffers grew by ${memory} bytes`);
}

test(`R4.4 ${CASES} damaged images: a FormatError with an offset, or a result within its limits`, () => {
  judge(fuzzFormats(1, CASES));
});

test("R4.4 every kind of image and stream, cut everywhere: a FormatError with an offset, or what is there", () => {
  assert.ok(cutEverywhere(16) > 2_000);
});
