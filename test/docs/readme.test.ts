/** The README's first commands, as a newcomer runs them; four of them, and the others, in the full tier. */
import assert from "node:assert/strict";
import test from "node:test";
import { FIRST, holds, newcomer, prepare, useBlocks } from "./readme.js";

const RUN = /^Linux vm 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux$/m;

test("R3.1 the README's first commands run as they stand, from an empty folder and an empty cache", async (t) => {
  const [[run, pull, ...others]] = useBlocks();
  const folder = await newcomer(t);
  const outputs = folder === undefined ? undefined : await prepare(t, folder, [run, pull]);
  if (folder === undefined || outputs === undefined) return;
  assert.match(outputs[0], RUN, run);
  assert.equal(others.length, FIRST.length, "every command of the block has a row");
  const here = FIRST.filter(({ fullTier }) => fullTier !== true);
  await holds(
    folder,
    others.filter((_, i) => FIRST[i].fullTier !== true),
    here,
  );
});
