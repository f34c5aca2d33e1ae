/** R2.3 R4.3 the same of every file there. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspectAll, LIBRARIES, PROGRAMS, rootFiles } from "./inspect-root.js";

test("R2.3 R4.3 every file of this host's root is inspected", async (t) => {
  const files = rootFiles([...PROGRAMS, ...LIBRARIES]);
  const counts = await inspectAll(files);
  t.diagnostic(`${files.length} files; by status: ${JSON.stringify([...counts])}`);
  assert.ok(files.length > 0);
});
