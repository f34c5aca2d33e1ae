/** `npm run bench` from outside, on the smallest thing it can measure, and the measurement of memory. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { beyondGuest } from "../../bench/measure.js";
import { repositoryRoot } from "../support/repository.js";

const MAIN = path.join(repositoryRoot, "dist/bench/main.js");

function bench(args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
}

test("R3.10 the benchmark runs a program on locore and writes its samples", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const json = path.join(folder, "samples.json");
  const smallest = ["--only", "sieve", "--peer", "locore", "--runs", "2", "--scale", "0.001"];
  const { status, stdout, stderr } = bench([...smallest, "--json", json]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^\| sieve .*\| +\d+\.\d\d \(/m);
  const { series } = JSON.parse(readFileSync(json, "utf8")) as {
    series: { name: string; ms: number[]; instructions: number[]; failed: string[]; wrong: string[] }[];
  };
  assert.equal(series.length, 1);
  const [{ name, ms, instructions, failed, wrong }] = series;
  assert.deepEqual([name, ms.length, failed, wrong], ["sieve", 2, [], []]);
  assert.ok(instructions[0] > 1e6, "what locore says of itself arrives");
});

test("R3.10 the benchmark refuses a name that nothing has, and an option that does not exist", () => {
  assert.match(bench(["--only", "siev"]).stderr, /nothing is called siev/);
  const { status, stderr } = bench(["--rounds", "3"]);
  assert.equal(status, 2);
  assert.match(stderr, /--rounds[^]*usage: npm run bench/);
});

test("R3.10 memory beyond guest RAM of a process without a guest is its resident memory", (t) => {
  if (!existsSync("/proc/self/smaps")) {
    t.skip("there is no /proc");
    return;
  }
  const bytes = beyondGuest(process.pid, Number.MAX_SAFE_INTEGER);
  const resident = process.memoryUsage.rss();
  assert.ok(bytes! > resident * 0.8 && bytes! < resident * 1.25, `${bytes} of ${resident}`);
});

test("R3.10 of what lies before guest RAM in its mapping, what was never touched does not count", (t) => {
  if (!existsSync("/proc/self/pagemap")) {
    t.skip("there is no /proc");
    return;
  }
  const MIB = 2 ** 20;
  const [tables, guest, touched] = [64 * MIB, 256 * MIB, 4 * MIB];
  const memory = new WebAssembly.Memory({ initial: (tables + guest) / 0x10000 });
  const before = process.memoryUsage.rss();
  new Uint8Array(memory.buffer, 0, touched).fill(1);
  new Uint8Array(memory.buffer, tables, touched).fill(1);
  const beyond = beyondGuest(process.pid, guest)!;
  assert.ok(beyond > before * 0.8 && beyond < before + tables / 2, `${beyond} of ${before}`);
});
