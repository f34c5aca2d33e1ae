/** The copy of a machine as a file (R6.2): what is named once it is written is on the medium. */
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { writeCopy } from "../../src/host/node/copy-file.js";
import { scratch } from "../support/built-tree.js";

const PAGES = 100;
const PAGE = 4096;

test("R6.2 copy: the file is on its medium, all of it, before anybody can name it", async (t) => {
  const file = path.join(scratch(t), "copy");
  writeFileSync(file, "");
  const handle = await open(file);
  const kind = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const synced: number[] = [];
  const datasync = kind.datasync;
  t.mock.method(kind, "datasync", function (this: typeof handle) {
    synced.push(statSync(file).size);
    return datasync.call(this);
  });
  const size = await writeCopy(file, { sections: [], pages: new Uint8Array(PAGES * PAGE).fill(1) });
  assert.equal(statSync(file).size, size);
  assert.deepEqual(synced, [size]);
});
