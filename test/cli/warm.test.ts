/** The machines that are kept for runs, without a guest: whom they are believed of, what they are made of, how many there are (R1.10). */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { KeptMachines } from "../../src/cli/run/warm/folder.js";
import { changedInput, settledInputs } from "../../src/cli/run/warm/inputs.js";
import { RunTimer, timingLines } from "../../src/cli/run/timing.js";
import { commandBytes } from "../../src/guests/index.js";
import { scratch } from "../support/built-tree.js";

const key = (digit: string): string => digit.repeat(64);
const ABOUT = { what: "kernel, busybox", inputs: [], sharedOver: "virtiofs" } as const;
const SIZE = 1000;

async function write(file: string): Promise<number> {
  writeFileSync(file, new Uint8Array(SIZE));
  return Promise.resolve(SIZE);
}

function opened(cache: string): KeptMachines {
  const machines = KeptMachines.open(cache);
  assert.ok(machines);
  return machines;
}

test("R6.2 warm: a folder or a file that others can write is not believed, nor is a link", async (t) => {
  const cache = scratch(t);
  const machines = opened(cache);
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  const kept = machines.find(key("a"));
  assert.ok(kept);
  assert.equal(statSync(machines.folder).mode & 0o777, 0o700);
  assert.equal(statSync(machines.pathOf(kept.snapshot)).mode & 0o777, 0o600);
  chmodSync(machines.pathOf(kept.snapshot), 0o666);
  assert.equal(machines.find(key("a")), undefined);
  assert.equal(existsSync(machines.pathOf(kept.snapshot)), false);

  chmodSync(machines.folder, 0o777);
  assert.equal(KeptMachines.open(cache), undefined);
  const linked = scratch(t);
  mkdirSync(path.join(linked, "other"));
  symlinkSync(path.join(linked, "other"), path.join(linked, "warm"));
  assert.equal(KeptMachines.open(linked), undefined);
});

test("R6.2 warm: what was changed since, is half there, or is nonsense is thrown away", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  const { snapshot } = machines.find(key("a"))!;
  writeFileSync(machines.pathOf(snapshot), new Uint8Array(SIZE).fill(1));
  assert.equal(machines.find(key("a")), undefined);
  for (const text of ["", "{", "null", '{"version":2}', `{"version":1,"snapshot":"../../etc/passwd"}`]) {
    writeFileSync(machines.pathOf(`${key("b")}.json`), text);
    assert.equal(machines.find(key("b")), undefined);
  }
  await assert.rejects(
    machines.keep(key("c"), { ...ABOUT, inputs: [] }, () => Promise.reject(new Error("full"))),
  );
  assert.deepEqual(readdirSync(machines.folder), []);
});

test("R1.10 warm: who was not used for longest goes first, by count and by bytes; what nobody names goes when it is old", async (t) => {
  const machines = opened(scratch(t));
  for (const [age, digit] of ["a", "b", "c"].entries()) {
    await machines.keep(key(digit), { ...ABOUT, inputs: [] }, write);
    utimesSync(machines.pathOf(`${key(digit)}.json`), 1000 + age, 1000 + age);
  }
  machines.touch(key("a"));
  const keys = (): string[] => machines.list().map((one) => one.key[0]);
  assert.deepEqual(keys(), ["a", "c", "b"]);
  await machines.setLimit({ count: 2, bytes: 1e9 });
  assert.deepEqual(keys(), ["a", "c"]);
  await machines.setLimit({ count: 9, bytes: SIZE });
  assert.deepEqual(keys(), ["a"]);
  assert.equal(readdirSync(machines.folder).filter((name) => name.endsWith(".snap")).length, 1);

  const [young, old] = ["d", "e"].map((digit) =>
    machines.pathOf(`${key(digit)}.${crypto.randomUUID()}.snap`),
  );
  for (const file of [young, old]) writeFileSync(file, "");
  utimesSync(old, 1000, 1000);
  machines.trim();
  assert.deepEqual([existsSync(young), existsSync(old)], [true, false]);
  assert.equal(machines.clear(), 1);
  assert.deepEqual(readdirSync(machines.folder), ["limit.json"]);
});

test("R1.10 warm: a file that was changed, replaced or has come is seen; one changed a moment ago is not trusted yet", (t) => {
  const folder = scratch(t);
  const [file, none] = ["file", "none"].map((name) => path.join(folder, name));
  writeFileSync(file, "1");
  const begun = Date.now();
  assert.equal(settledInputs([file, none, folder], begun - 1000), undefined);
  const inputs = settledInputs([file, none, folder, file], begun + 10_000);
  assert.deepEqual(
    inputs?.map(({ kind }) => kind),
    ["file", "none", "folder"],
  );
  assert.equal(changedInput(inputs), undefined);
  writeFileSync(none, "");
  assert.equal(changedInput(inputs), none);
  writeFileSync(file, "2");
  utimesSync(file, 1000, 1000);
  assert.equal(changedInput(inputs), file);
});

test("R1.10 warm: the command's text behind a head that says its length, the time and a seed", () => {
  const seed = new Uint8Array(32).fill(7);
  const bytes = commandBytes("é\n", { nowMs: 1_234_567, seed });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assert.deepEqual(
    [0, 8, 16].map((at) => Number(view.getBigUint64(at, true))),
    [3, 1234, 567_000_000],
  );
  assert.deepEqual([view.getUint32(24, true), view.getUint32(28, true)], [256, 32]);
  assert.deepEqual([...bytes.subarray(32, 64)], [...seed]);
  assert.equal(Buffer.from(bytes.subarray(64)).toString(), "é\n");
  assert.equal(commandBytes("").length, 64);
});

test("R3.10 run --timing: each stage that there was, and why it booted", () => {
  const timer = new RunTimer();
  timer.begin(false, "--cold");
  timer.end("boot");
  timer.end("end");
  const { warm, reason, stages } = timer.timing;
  assert.deepEqual([warm, reason, Object.keys(stages)], [false, "--cold", ["look", "boot", "end"]]);
  assert.match(timingLines(timer.timing)[0], /^locore: \d+ ms, cold: --cold$/);
});
