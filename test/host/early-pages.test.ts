/** RAM that is read into memory of the engine's before there is a machine. */
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { WasmPreparedMemory } from "../../src/engine/wasm/prepared-memory.js";
import { readFirst } from "../../src/host/node/early-pages.js";
import { openSnapshotFile } from "../../src/host/node/snapshot-file.js";
import type { CpuHost } from "../../src/engine/contract.js";

const RANGES = [
  { start: 0, size: 0x10000 },
  { start: 0x100000, size: 0x2000 },
];
/** Nothing runs here. */
const HOST = {} as CpuHost;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  const full = path.join(folder, name);
  writeFileSync(full, bytes);
  return full;
}

test("R6.2 a machine takes memory that was prepared for it, with what was put there, in every range", () => {
  const prepared = new WasmPreparedMemory({ ranges: RANGES });
  prepared.view(0xff0, 3)!.set([1, 2, 3]);
  prepared.view(0x101ffe, 2)!.set([4, 5]);
  const { memory } = createWasmEngine().createVm({ ranges: RANGES, prepared }, HOST);
  assert.deepEqual([...memory.read(0xff0, 4)], [1, 2, 3, 0]);
  assert.deepEqual([...memory.read(0x101ffd, 3)], [0, 4, 5]);
  assert.equal(prepared.view(0xffff, 2), undefined, "no view goes past the end of a range");
});

test("R6.2 memory that was prepared serves one machine, and only one of these ranges and CPUs", () => {
  const engine = createWasmEngine();
  const make = (spec: { ranges: typeof RANGES; cpus?: number }, prepared: WasmPreparedMemory): unknown =>
    engine.createVm({ ...spec, prepared }, HOST);
  const prepared = new WasmPreparedMemory({ ranges: RANGES });
  assert.throws(() => make({ ranges: RANGES.slice(1) }, prepared), RangeError);
  assert.throws(() => make({ ranges: RANGES, cpus: 2 }, prepared), RangeError);
  make({ ranges: RANGES }, prepared);
  assert.throws(() => make({ ranges: RANGES }, prepared), RangeError);
});

test("R6.2 a file is read beside the thread into many places, and told of piece by piece in its order", async () => {
  const bytes = Uint8Array.from({ length: 5_000_000 }, (_, i) => (i * 7 + (i >> 12)) & 0xff);
  const opened = openSnapshotFile(file("many", bytes));
  const sizes = [4096, 3_000_000, 1, ...Array<number>(1200).fill(512)];
  const into = sizes.map((size) => new Uint8Array(size));
  const told: Uint8Array[] = [];
  await opened.readAside(100, into, (piece) => told.push(piece));
  opened.close();
  const length = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(Buffer.concat(into).equals(bytes.subarray(100, 100 + length)));
  assert.ok(Buffer.concat(told).equals(bytes.subarray(100, 100 + length)));
});

test("R6.2 a file that ends before its pages do is said to, with the offset", async () => {
  const opened = openSnapshotFile(file("short", new Uint8Array(3000)));
  await assert.rejects(
    opened.readAside(1000, [new Uint8Array(4096)], () => undefined),
    { name: "SnapshotError", offset: 3000 },
  );
  opened.close();
});

test("R6.2 words that are no snapshot's name are left alone; a damaged snapshot is read as ever and refused there", async () => {
  assert.equal(readFirst(["--timeout", "30", folder, path.join(folder, "none")]), undefined);
  const magic = Buffer.from(await import("../../src/snapshot/format.js").then(({ MAGIC }) => MAGIC));
  const early = readFirst(["--stats", file("damaged", Buffer.concat([magic, Buffer.alloc(100)]))]);
  assert.equal(await early?.memory, undefined);
  early?.file.close();
});
