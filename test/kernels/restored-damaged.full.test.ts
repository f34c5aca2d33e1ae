/** A shell of Debian that was saved and is restored from a file which is damaged: noticed where it is read. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { BLOCK_PAGES, PAGE, SECTION_TYPES } from "../../src/snapshot/format.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { SAVED_GUEST, savedShell } from "../support/saved-shell.js";
import { sectionOf } from "../support/snapshot-files.js";

test("R6.2 a large snapshot runs at once; a damaged page ends it with status 8 and its place when it is read", async (t) => {
  const files = await kernelFiles(t, {}, SAVED_GUEST);
  if (files === undefined) return;
  const saved = Buffer.from(await savedShell(t, files));
  const pages = sectionOf(saved, SECTION_TYPES.pages);
  const at = pages.offset + Math.floor(pages.length / 2);
  saved[at] ^= 1;
  const file = path.join(files.folder, "damaged.snap");
  await writeFile(file, saved);
  const short = await locore(["restore", file, "--instructions", "1"]).during(t).ended;
  assert.match(short.err, /timeout by instruction limit/);
  const { status, err } = await locore(["restore", file]).during(t).ended;
  assert.equal(status, 8, err);
  const block = at - ((at - pages.offset) % (BLOCK_PAGES * PAGE));
  assert.match(err, new RegExp(`at 0x${block.toString(16)}: found CRC-32 .* of pages`));
});
