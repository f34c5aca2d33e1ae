/** A process that ends although its threads do not (R1.4). */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { nativeVerdict } from "../../src/host/node/native-calls.js";
import { missing } from "../support/requires.js";

const PROGRAM = fileURLToPath(new URL("../support/blocked-process.js", import.meta.url));
const LIMIT = { timeout: 60_000 };
const STATUS = 7;
const O_NONBLOCK = 0o4000;

interface Ended {
  status: number | null;
  out: string;
}

/** What a shell's script prints and ends with: it starts `$NODE $PROGRAM $FIFO`. Undefined after the test was skipped. */
async function ended(t: TestContext, script: string): Promise<Ended | undefined> {
  const native = nativeVerdict();
  if (!native.usable) return void missing(t, native.reason);
  const folder = mkdtempSync(path.join(tmpdir(), "locore-end-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const fifo = path.join(folder, "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  const env: NodeJS.ProcessEnv = { ...process.env, NODE: process.execPath, PROGRAM, FIFO: fifo };
  delete env["NODE_OPTIONS"];
  delete env["NODE_V8_COVERAGE"];
  const child = spawn("sh", ["-c", script], { env, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  let out = "";
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, out };
}

test("R1.4 a thread in a system call that does not come back does not keep the process", LIMIT, async (t) => {
  const end = await ended(t, `exec "$NODE" "$PROGRAM" "$FIFO" ${STATUS} thread`);
  if (end !== undefined) assert.deepEqual(end, { status: STATUS, out: "begun\n" });
});

test("R1.4 nor does a machine's thread that is asked to end", LIMIT, async (t) => {
  const end = await ended(t, `exec "$NODE" "$PROGRAM" "$FIFO" ${STATUS} session`);
  if (end !== undefined) assert.deepEqual(end, { status: STATUS, out: "begun\ntimeout by time limit\n" });
});

test("R1.4 whoever shares its standard streams has them as they were", LIMIT, async (t) => {
  const flags = "for each in 0 1; do grep flags: /proc/self/fdinfo/$each; done";
  // Of both ends of a socket each has flags of its own; of a pipe and of what a child is given, all have the same.
  const end = await ended(t, `${flags}; "$NODE" "$PROGRAM" "$FIFO" ${STATUS} thread; ${flags}`);
  if (end === undefined) return;
  const seen = end.out.split("\n").filter((line) => line.startsWith("flags:"));
  assert.deepEqual(seen.slice(2), seen.slice(0, 2));
  for (const line of seen) assert.equal(Number.parseInt(line.split("\t")[1]!, 8) & O_NONBLOCK, 0);
});
