/** The machines that are kept for runs, without a guest: whom they are believed of, what they are made of, how many there are (R1.10). */
import assert from "node:assert/strict";
import fs, {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { KeptMachines, MOST_SAID } from "../../src/cli/run/warm/folder.js";
import { findKernel } from "../../src/cli/run/kernel.js";
import { parseArguments } from "../../src/cli/args.js";
import { assemble, commandOptions } from "../../src/cli/run/guest.js";
import { readRunRequest, RUN_COMMAND_OPTIONS, type RunRequest } from "../../src/cli/run/request.js";
import { keyOf, neverWarm } from "../../src/cli/run/warm/keeping.js";
import { changedInput, settledInputs } from "../../src/cli/run/warm/inputs.js";
import { RunTimer, timingLines } from "../../src/cli/run/timing.js";
import { changedNs, inputAt, moduleFolder, type Input } from "../../src/guests/index.js";
import { GuestCache } from "../../src/guests/cache/cache.js";
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

test("R1.10 warm: who was not used for longest goes first, by count and by bytes", async (t) => {
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
  assert.equal(machines.clear(), 1);
  assert.deepEqual(readdirSync(machines.folder), ["limit.json"]);
});

test("R1.10 warm: a snapshot that no record names is thrown away unless somebody writes it; one that is being written counts", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  const names = (): string[] =>
    readdirSync(machines.folder).map((name) => name.slice(62).replace(/[0-9a-f-]{36}/, "…"));
  for (const digit of ["d", "e"]) {
    writeFileSync(machines.pathOf(`${key(digit)}.${crypto.randomUUID()}.snap`), new Uint8Array(SIZE));
    writeFileSync(machines.lockFile(key(digit)), "");
  }
  utimesSync(machines.lockFile(key("d")), 1000, 1000);
  for (const left of [`.${key("a")}.json.1.tmp`, `${key("a")}.lock.1`]) {
    writeFileSync(machines.pathOf(left), "");
    utimesSync(machines.pathOf(left), 1000, 1000);
  }
  machines.trim();
  assert.deepEqual(names().sort(), ["aa.json", "aa.….snap", "ee.lock", "ee.….snap"]);
  await machines.setLimit({ count: 9, bytes: 2 * SIZE });
  assert.ok(machines.find(key("a")));
  await machines.setLimit({ count: 9, bytes: 2 * SIZE - 1 });
  assert.equal(machines.find(key("a")), undefined);
  assert.equal(names().includes("ee.….snap"), true);
});

test("R1.10 warm: what lies beside a snapshot counts, is believed as little where others could write it, and goes with it", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  await machines.keep(key("b"), { ...ABOUT, inputs: [] }, write);
  const [one, two] = ["a", "b"].map((digit) => machines.find(key(digit))!);
  const [first, second] = [one, two].map((record) => machines.knownStartOf(record)!);
  assert.equal(existsSync(first), false);
  for (const file of [first, second]) writeFileSync(file, new Uint8Array(SIZE), { mode: 0o600 });
  assert.equal(machines.knownStartOf(one), first);
  chmodSync(first, 0o622);
  assert.equal(machines.knownStartOf(one), undefined);

  const alone = machines.pathOf(`${key("c")}.${crypto.randomUUID()}.start`);
  writeFileSync(alone, "");
  machines.trim();
  assert.deepEqual([first, second, alone].map(existsSync), [true, true, false]);
  machines.forget(key("a"));
  assert.deepEqual([first, second].map(existsSync), [false, true]);
  await machines.setLimit({ count: 9, bytes: 2 * SIZE });
  assert.ok(machines.find(key("b")));
  await machines.setLimit({ count: 9, bytes: 2 * SIZE - 1 });
  assert.deepEqual(readdirSync(machines.folder), ["limit.json"]);
});

test("R1.10 warm: files that a umask would let others write to are their user's all the same", async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const machines = opened(scratch(t));
  await machines.setLimit({ count: 2, bytes: 1e9 });
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  assert.ok(machines.find(key("a")));
  for (const name of readdirSync(machines.folder))
    assert.equal(statSync(machines.pathOf(name)).mode & 0o777, 0o600, name);
});

test("R1.10 warm: a machine whose record is not believed leaves no snapshot behind", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [], what: "x".repeat(0x10001) }, write);
  assert.deepEqual(readdirSync(machines.folder), []);
});

test("R1.10 warm: a cache out of which nothing can be removed makes a run cold, and does not end it", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  await machines.keep(key("b"), { ...ABOUT, inputs: [] }, write);
  writeFileSync(machines.pathOf(machines.find(key("a"))!.snapshot), "");
  writeFileSync(machines.pathOf(`${key("b")}.json`), "");
  t.mock.method(fs, "rmSync", () => {
    throw Object.assign(new Error("EROFS"), { code: "EROFS" });
  });
  syncBuiltinESMExports();
  try {
    assert.equal(machines.find(key("a")), undefined);
    assert.equal(machines.find(key("b")), undefined);
    machines.forget(key("a"));
    machines.trim();
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.equal(existsSync(machines.pathOf(`${key("a")}.json`)), true);
});

test("R1.10 warm: a machine that another process throws away while they are listed is none", async (t) => {
  const machines = opened(scratch(t));
  await machines.keep(key("a"), { ...ABOUT, inputs: [] }, write);
  const { readFileSync } = fs;
  t.mock.method(fs, "readFileSync", (file: string) => {
    const text = readFileSync(file, "utf8");
    fs.rmSync(file);
    return text;
  });
  syncBuiltinESMExports();
  try {
    assert.deepEqual(machines.list(), []);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
});

/** The same, looked at so much later, ms. */
function lookedAt(seen: readonly Input[], laterMs: number): Input[] {
  return seen.map((input) => ({ ...input, lookedMs: (input.lookedMs ?? 0) + laterMs }));
}

test("R1.10 warm: a file that was changed, replaced or has come is seen; one changed a moment before is not trusted yet", (t) => {
  const folder = scratch(t);
  const [file, none] = ["file", "none"].map((name) => path.join(folder, name));
  writeFileSync(file, "1");
  const seen = [file, none, folder, file].map((place) => inputAt(place));
  assert.match(settledInputs(lookedAt(seen, -1000)).unsettled ?? "", /file was changed just now/);
  const { inputs, unsettled } = settledInputs(lookedAt(seen, 10_000));
  assert.equal(unsettled, undefined);
  assert.deepEqual(
    inputs.map(({ kind }) => kind),
    ["file", "none", "folder"],
  );
  assert.equal(changedInput(inputs), undefined);
  writeFileSync(none, "");
  assert.equal(changedInput(inputs), none);
  writeFileSync(file, "2");
  utimesSync(file, 1000, 1000);
  assert.equal(changedInput(inputs), file);
});

test("R1.10 warm: what a run has fetched by itself is settled when it is looked at, so that the first run's machine is kept", async (t) => {
  const cache = new GuestCache(scratch(t));
  const about = { name: "n", package: "p", version: "1", packageSha256: "", release: "r", architecture: "a" };
  const files = { one: { fileName: "one", bytes: new Uint8Array([1]) } };
  const record = await cache.exclusively(() => cache.store(about, files));
  const stored = [cache.recordFile("n"), path.join(cache.guestFolder("n"), record.files["one"].path)];
  const seen = stored.map((file) => inputAt(file));
  if (seen.some((input) => (changedNs(input) ?? 0n) % 1_000_000_000n === 0n)) {
    t.skip("this file system counts in whole seconds");
    return;
  }
  assert.equal(settledInputs(seen).unsettled, undefined);
});

test("R1.10 warm: nothing is kept where a link was switched, or something came, since a file was looked at to be read", async (t) => {
  const folder = scratch(t);
  const [old, other, link] = ["old", "other", "link"].map((name) => path.join(folder, name));
  for (const file of [old, other]) writeFileSync(file, file);
  symlinkSync(old, link);
  const seen = lookedAt((await findKernel(link, {})).seen, 10_000);
  assert.equal(settledInputs(seen).unsettled, undefined);
  fs.rmSync(link);
  symlinkSync(other, link);
  assert.match(settledInputs(seen).unsettled ?? "", /link was changed/);
  const none = [inputAt(path.join(folder, "none"))];
  assert.equal(settledInputs(none).unsettled, undefined);
  writeFileSync(path.join(folder, "none"), "");
  assert.match(settledInputs(none).unsettled ?? "", /none was changed/);
});

test("R1.10 warm: where modules were looked for and not found is an input: lists, and folders that were searched", async (t) => {
  for (const comes of ["modules.order", "modules.dep", "modules.builtin", "fs/fuse/fuse.ko", "own.ko"]) {
    const folder = scratch(t);
    mkdirSync(path.join(folder, "fs/fuse"), { recursive: true });
    mkdirSync(path.join(folder, "arch/x86/boot"), { recursive: true });
    writeFileSync(path.join(folder, "arch/x86/boot/bzImage"), "kernel");
    const { seen, modules } = await findKernel(folder, {});
    assert.equal(modules, undefined);
    const { inputs, unsettled } = settledInputs(lookedAt(seen, 10_000));
    assert.equal(unsettled, undefined);
    assert.equal(changedInput(inputs), undefined);
    writeFileSync(path.join(folder, comes), "");
    assert.notEqual(changedInput(inputs), undefined, comes);
  }
  const listed = scratch(t);
  writeFileSync(path.join(listed, "modules.builtin"), "kernel/own.ko\n");
  const seen: Input[] = [];
  assert.equal(await (await moduleFolder(listed, seen))!.read("fuse"), undefined);
  mkdirSync(path.join(listed, "kernel"));
  assert.equal(changedInput(seen), listed);
});

function asked(...words: string[]): RunRequest {
  return readRunRequest(parseArguments(words, RUN_COMMAND_OPTIONS));
}

test("R1.10 warm: a kernel's name is the same one in every folder, until a file of that name is there; that is another one in each", async (t) => {
  const before = process.cwd();
  t.after(() => process.chdir(before));
  const [one, other] = [scratch(t), scratch(t)];
  const kinds = { terminal: false, separateErrors: false };
  const keyIn = async (folder: string, kernel: string): Promise<string> => {
    process.chdir(folder);
    const request = asked("--kernel", kernel);
    return keyOf(request, await assemble(request), kinds, "build");
  };
  const name = await keyIn(one, "debian-12");
  assert.equal(await keyIn(other, "debian-12"), name);
  for (const folder of [one, other]) writeFileSync(path.join(folder, "debian-12"), "a file");
  const file = await keyIn(one, "debian-12");
  assert.notEqual(file, name);
  assert.notEqual(await keyIn(other, "debian-12"), file);
  assert.equal(await keyIn(other, path.join(one, "debian-12")), file);
});

test("R1.10 warm: a machine whose init serves a program is none of a run's, however alike they are", async () => {
  const kinds = { terminal: false, separateErrors: true };
  const request = asked("--root", "host");
  const made = await assemble(request);
  const key = keyOf(request, made, kinds, "build");
  assert.notEqual(keyOf({ ...request, serving: true }, made, kinds, "build"), key);
});

test("R1.10 warm: what a console has said is kept byte for byte, whatever it is", async (t) => {
  const machines = opened(scratch(t));
  const said = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte)).repeat(1024);
  assert.equal(said.length, MOST_SAID);
  await machines.keep(key("a"), { ...ABOUT, inputs: [], said }, write);
  assert.equal(machines.find(key("a"))?.said, said);
});

test("R1.10 warm: the host's name is told with the command: a machine that another host of this cache kept goes on", async (t) => {
  const kinds = { terminal: false, separateErrors: false };
  const request = asked("--", "true");
  const made = await assemble(request);
  const key = keyOf(request, made, kinds, "build");
  t.mock.method(os, "hostname", () => "its another");
  syncBuiltinESMExports();
  try {
    assert.equal(keyOf(request, made, kinds, "build"), key);
    assert.equal(commandOptions(request, made, kinds).hostname, "its another");
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
});

test("R1.10 warm: a card whose address is made up in each run is never warm; with mac= it may be", async () => {
  const why = async (net: string): Promise<string | undefined> => {
    const request = asked("--net", net);
    return neverWarm(request, await assemble(request));
  };
  for (const cable of ["switch=lab", "socket=/run/net.sock", "tap=tap0"]) {
    assert.match((await why(cable)) ?? "", /address/);
    assert.equal(await why(`${cable},mac=52:54:00:00:07:09`), undefined);
  }
  assert.equal(await why("user"), undefined);
});

test("R3.10 run --timing: each stage that there was, and why it booted", () => {
  const timer = new RunTimer();
  timer.begin(false, "--cold");
  timer.end("boot");
  timer.end("end");
  const { warm, reason, stages } = timer.timing;
  assert.deepEqual([warm, reason, Object.keys(stages)], [false, "--cold", ["look", "boot", "end"]]);
  assert.match(timingLines(timer.timing)[0], /^locore: \d+ ms, cold: --cold$/);
  timer.notKept = "the disk is full";
  assert.equal(timingLines(timer.timing).at(-1), "  its machine was not kept: the disk is full");
});
