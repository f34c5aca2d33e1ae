/**
 * `--console hvc0` as a person has it, with a kernel that has no other console (R3.5): bytes as they are both ways, and a saved machine
 * that goes on. The terminal's size: hvc0.full.test.ts.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { locore } from "../support/kernel-files.js";
import { randomBytes } from "../support/random.js";
import { guest } from "./hvc0.js";

const LIMIT = { timeout: 240_000 };
const SIZE = 100_000;

test("R3.5 every byte goes through hvc0 as it is, both ways", LIMIT, async (t) => {
  const bytes = randomBytes(31, SIZE);
  const made = await guest(
    t,
    `stty raw -echo < /dev/hvc0
     echo ready
     head -c ${SIZE} /dev/hvc0 > /tmp/in
     printf begin; cat /tmp/in; printf end`,
  );
  if (made === undefined) return;
  const run = locore(["boot", ...made.words, "--no-reboot"]).during(t);
  await run.shows("ready");
  run.child.stdin.end(bytes);
  const { out, err } = await run.ended;
  const sent = Buffer.from(bytes).toString("latin1");
  assert.ok(out.includes(`begin${sent}end`), `${out.length} bytes; ${err}`);
});

test("R3.5 R6.2 a machine whose console is hvc0 is saved, and goes on with its keys", LIMIT, async (t) => {
  const made = await guest(t, `stty raw -echo < /dev/hvc0; echo ready; read -r word; echo "word=$word"`);
  if (made === undefined) return;
  const file = path.join(made.folder, "hvc0.snap");
  const saved = await locore([
    "boot",
    ...made.words,
    "--rng",
    "--balloon",
    "16M",
    "--snapshot-at",
    "ready",
    "--snapshot",
    file,
  ]).during(t).ended;
  assert.match(saved.out, /ready/, saved.err);
  const again = locore(["restore", file, "--no-reboot"]).during(t);
  again.child.stdin.end("typed\n");
  const { out, err } = await again.ended;
  assert.match(out, /word=typed/, err);
});
