/** What the wasm engine refuses to hold, and what it holds at most. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineLimit, type CpuHost } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { checkCpu, memoryPages } from "../../src/engine/wasm/limits.js";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const host: CpuHost = {
  readPort: () => 0xff,
  writePort: () => undefined,
  readMmio: () => 0xff,
  writeMmio: () => undefined,
  acknowledgeInterrupt: () => -1,
  readApicMsr: () => undefined,
  writeApicMsr: () => false,
  readTaskPriority: () => 0,
  writeTaskPriority: () => undefined,
  readTsc: () => 0,
};

test("design §7 more RAM than one WebAssembly memory holds is refused with the limit in the message", () => {
  const ranges = [
    { start: 0, size: 3 * GIB },
    { start: 4 * GIB, size: GIB },
  ];
  assert.throws(
    () => createWasmEngine().createVm({ ranges }, host),
    (error) =>
      error instanceof EngineLimit &&
      /4096 MiB .* holds 4 GiB, of which \d+ MiB are left/.test(error.message),
  );
});

test("design §7 more CPUs than the engine's area has room for are refused with the limit in the message", () => {
  const vm = createWasmEngine().createVm({ ranges: [{ start: 0, size: MIB }] }, host);
  vm.createCpu(15, []);
  assert.throws(
    () => vm.createCpu(16, []),
    (error) => error instanceof EngineLimit && /16 CPUs at most/.test(error.message),
  );
  assert.throws(() => vm.createCpu(15, []), RangeError);
  vm.dispose();
});

test("design §7 RAM above 4 GiB is reached through the hole", () => {
  const vm = createWasmEngine().createVm(
    {
      ranges: [
        { start: 0, size: 2 * MIB },
        { start: 4 * GIB, size: 2 * MIB },
      ],
    },
    host,
  );
  vm.memory.write(4 * GIB + 4096, Uint8Array.of(1, 2, 3));
  assert.deepEqual([...vm.memory.read(4 * GIB + 4096, 3)], [1, 2, 3]);
  assert.throws(() => vm.memory.read(3 * GIB, 1), RangeError);
  assert.throws(() => vm.memory.write(2 * MIB - 1, Uint8Array.of(1, 2)), RangeError);
  vm.dispose();
});

test("R6.1 the engine says how much RAM and how many CPUs it holds, to the MiB", () => {
  const { maxRamBytes, maxCpus } = createWasmEngine().capabilities;
  memoryPages(maxRamBytes);
  assert.throws(() => memoryPages(maxRamBytes + MIB), { name: "EngineLimit" });
  checkCpu(maxCpus - 1);
  assert.throws(() => checkCpu(maxCpus), { name: "EngineLimit" });
});
