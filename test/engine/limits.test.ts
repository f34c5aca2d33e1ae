/** What the wasm engine refuses to hold, and what it holds at most. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EngineLimit, type CpuHost } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { memoryPages, mostRam } from "../../src/engine/wasm/limits.js";
import { CPU_AREA_SIZE, WASM_PAGE } from "../../src/engine/x86/layout.js";
import { MAXIMUM_CPUS } from "../../src/x86/topology.js";

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

test("R6.1 however much RAM is asked for, what is said to be left is what fits, and what the README says", () => {
  const { maxRamBytes } = createWasmEngine().capabilities;
  for (const [cpus, asked] of [
    [1, maxRamBytes + MIB],
    [1, 8 * GIB],
    [MAXIMUM_CPUS, 8 * GIB],
  ] as const) {
    const left = mostRam(cpus) / MIB;
    assert.throws(() => memoryPages(asked, cpus), new RegExp(`, of which ${left} MiB are left`));
    memoryPages(left * MIB, cpus);
    assert.throws(() => memoryPages((left + 1) * MIB, cpus), EngineLimit);
  }
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(`| ${maxRamBytes / MIB} MiB of guest RAM |`));
});

test("design §7 more CPUs than any machine has are refused with the limit in the message", () => {
  const ranges = [{ start: 0, size: MIB }];
  assert.throws(
    () => createWasmEngine().createVm({ ranges, cpus: MAXIMUM_CPUS + 1 }, host),
    (error) => error instanceof EngineLimit && error.message.includes(`holds ${MAXIMUM_CPUS} at most`),
  );
  const vm = createWasmEngine().createVm({ ranges, cpus: MAXIMUM_CPUS }, host);
  for (let id = 0; id < MAXIMUM_CPUS; id++) vm.createCpu(id, []);
  assert.throws(() => vm.createCpu(MAXIMUM_CPUS - 1, []), RangeError);
  vm.dispose();
});

test("design §7 CPUs that are not there take no memory away from the guest", () => {
  const areaPages = CPU_AREA_SIZE / WASM_PAGE;
  assert.equal(memoryPages(MIB, MAXIMUM_CPUS) - memoryPages(MIB, 1), (MAXIMUM_CPUS - 1) * areaPages);
  const vm = createWasmEngine().createVm({ ranges: [{ start: 0, size: MIB }], cpus: 2 }, host);
  assert.throws(() => vm.createCpu(2, []), /CPU 2: the machine was made for ids 0 to 1/);
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
  memoryPages(maxRamBytes, 1);
  assert.throws(() => memoryPages(maxRamBytes + MIB, 1), { name: "EngineLimit" });
  memoryPages(MIB, maxCpus);
  assert.throws(() => memoryPages(MIB, maxCpus + 1), { name: "EngineLimit" });
});
