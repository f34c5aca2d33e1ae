/** R3.6: a process that writes is killed two hundred times. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { requireTool } from "../support/requires.js";
import { killedLife } from "./killed.js";

const KINDS = ["raw", 9, 12, 16, 16] as const;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

for (let life = 0; life < 200; life++) {
  const kind = KINDS[life % KINDS.length];
  const what = kind === "raw" ? kind : `qcow2, clusters of ${2 ** kind}`;
  test(`R3.6 killed while it writes (${what}, life ${life}): the image is sound, what was flushed is there`, async (t) => {
    const qemuImg = requireTool(t, "qemu-img");
    if (qemuImg === undefined) return;
    await killedLife(path.join(folder, "image"), kind, 1000 + life, qemuImg);
  });
}
