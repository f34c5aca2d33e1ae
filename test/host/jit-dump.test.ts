/** LOCORE_JIT_DUMP: regions as files, whole and bounded. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { loadEngine } from "../../src/host/node/engines.js";
import { dumpInto } from "../../src/host/node/jit-dump.js";
import { bareGuest, silentHost } from "../isolation/bare-guest.js";
import { ecx } from "../support/asm/index.js";

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(os.tmpdir(), "locore-dump-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

/** Sets variables of the environment for one test. */
function environment(t: TestContext, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

test("R3.10 LOCORE_JIT_DUMP writes text and module of every region, and nothing half", async (t) => {
  const target = path.join(folder(t), "new", "folder");
  environment(t, { LOCORE_JIT: "eager", LOCORE_JIT_DUMP: target });
  const engine = await loadEngine("wasm");
  const { vm, cpu } = bareGuest(
    (a) => a.mov(ecx, 100).label("again").dec(ecx).jcc("ne", "again").hlt(),
    { all: 0x8000 },
    silentHost(),
    undefined,
    engine,
  );
  assert.equal(cpu.run(1000).reason, "halt");
  const files = readdirSync(target).sort();
  const regions = vm.counters()["regions"];
  vm.dispose();
  assert.equal(files.length, 2 * regions);
  assert.deepEqual(files.slice(0, 2), ["00000.txt", "00000.wasm"]);
  assert.match(
    readFileSync(path.join(target, "00000.txt"), "utf8"),
    /── guest ──[^]*dec ecx[^]*── structure ──/,
  );
  assert.ok(WebAssembly.validate(readFileSync(path.join(target, "00000.wasm"))));
});

test("R3.10 a dump ends at its bound", (t) => {
  const target = folder(t);
  const dump = dumpInto(target, 2);
  for (let i = 0; i < 5; i++) dump("text", Uint8Array.of(i));
  assert.deepEqual(readdirSync(target).sort(), ["00000.txt", "00000.wasm", "00001.txt", "00001.wasm"]);
});

test("R3.10 a place that cannot be written to, or a mode that does not exist, is said before anything runs", async (t) => {
  const file = path.join(folder(t), "file");
  writeFileSync(file, "");
  environment(t, { LOCORE_JIT: "on", LOCORE_JIT_DUMP: file });
  await assert.rejects(loadEngine("wasm"), { name: "EngineUnavailable", message: /LOCORE_JIT_DUMP: / });
  environment(t, { LOCORE_JIT: "fast" });
  await assert.rejects(loadEngine("wasm"), {
    name: "EngineUnavailable",
    message: /LOCORE_JIT is "fast"; it can be on, off/,
  });
});
