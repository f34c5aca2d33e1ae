/**
 * Small packed files that would fill memory, each shown to the program as it is started: it describes or refuses them in
 * bounded memory and time, and its error says what the limit is and what to do (R4.4).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { EXIT_STATUS } from "../../src/machine/end.js";
import type { CodecName } from "../../src/spec/compression.js";
import { makeFit, makeUImage } from "../support/arm-images.js";
import { BOMBS } from "../support/bombs.js";
import { manySegments } from "../support/many-segments.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

const KIB_PER_MIB = 1024;
/** What describing any packed file may take, MiB of the whole process. */
const MOST_TO_INSPECT = 300;
/** 256 MiB of guest memory, and what the program takes for itself. */
const MOST_TO_PLAN = 420;
/** Ten times what it takes on a slow host; it was a minute. */
const PATIENCE_MS = 20_000;

interface Outcome {
  status: number | null;
  out: string;
  err: string;
}

/** Runs the program on these bytes; fails when that takes more memory or time than it may. */
function run(command: readonly string[], bytes: Uint8Array, most: number): Outcome {
  const file = path.join(folder, "file");
  writeFileSync(file, bytes);
  const report = "data:text/javascript,process.on('exit',()=>console.error(process.resourceUsage().maxRSS))";
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [
    "--import",
    report,
    PROGRAM,
    ...command,
    file,
  ]);
  const took = performance.now() - started;
  const lines = stderr.toString().trimEnd().split("\n");
  const peak = Number(lines.pop()) / KIB_PER_MIB;
  assert.ok(peak > 20 && peak < most, `${command.join(" ")}: ${peak} MiB`);
  assert.ok(took < PATIENCE_MS, `${command.join(" ")}: ${took} ms`);
  return { status, out: stdout.toString(), err: lines.join("\n") };
}

for (const [codec, make] of Object.entries(BOMBS) as [CodecName, () => Uint8Array][]) {
  test(`R4.4 inspect: a ${codec} file of zeros is refused below 300 MB, with the limit and what to do`, () => {
    const { status, err } = run(["inspect"], make(), MOST_TO_INSPECT);
    assert.equal(status, EXIT_STATUS.imageRefused);
    assert.match(
      err,
      new RegExp(`^locore: \\S+: ${codec}, offset 0x[0-9a-f]+: found more than \\d+ bytes; expected `),
    );
    assert.match(
      err,
      /32 MiB are unpacked, or 20 times its size up to 96 MiB\. .*unpack it first and give the result/,
    );
  });

  test(`R4.4 plan: a ${codec} file of zeros takes no more than guest memory`, () => {
    const { status, err } = run(["plan"], make(), MOST_TO_PLAN);
    assert.equal(status, EXIT_STATUS.imageRefused);
    assert.match(
      err,
      /found more than 268435456 bytes; expected .*must fit into the guest's memory: give it more \(-m\)/,
    );
  });
}

test("R4.4 boot: a file that is refused for its size takes no more than guest memory", () => {
  const { status, err } = run(["boot"], BOMBS.gzip(), MOST_TO_PLAN);
  assert.equal(status, EXIT_STATUS.imageRefused);
  assert.match(err, /found more than 268435456 bytes/);
});

test("R5.1 inspect: parts of containers are unpacked within one limit for all, and said to be larger", () => {
  const bomb = BOMBS.gzip();
  const nested = run(["inspect"], gzipSync(makeUImage({ data: bomb })), MOST_TO_INSPECT);
  assert.equal(nested.status, 0);
  assert.match(nested.out, /something of more than \d+ bytes, packed with gzip/);
  const fit = run(["inspect"], makeFit(BOMBS.zstd()), MOST_TO_INSPECT);
  assert.equal(fit.status, 0);
  assert.match(fit.out, /something of more than 33554432 bytes, packed with zstd/);
});

test("R2.1 inspect: a packed file of very many program headers costs little more than its bytes", () => {
  const { status, out } = run(["inspect"], gzipSync(manySegments(2 ** 18)), MOST_TO_INSPECT);
  assert.equal(status, 0);
  assert.match(out, /e_phnum +262144/);
});
