/** R1.1 R3.8 the device of docs/devices.md as a part: loaded as the machine's thread loads it, saved, and made again from that. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { loadPlugIns, withDevices } from "../../src/host/node/plug-ins.js";
import { buildBoard, type BoardState } from "../../src/machine/board.js";
import { Machine } from "../../src/machine/machine.js";
import { createFakeEngine, type FakeProgram } from "../support/fake-engine.js";
import { TestConsole } from "../support/fake-machine.js";
import { pageFiles } from "../support/page-files.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD_ADDRESS = 0x100000;
const REGISTERS = 0xd000_0000;
const LINE_STATUS = REGISTERS + 5;

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

test("R1.1 R3.8 what the device has to say survives the board", async () => {
  const [[name, text]] = [...pageFiles("docs/devices.md", "js")];
  const file = path.join(folder, name.replace(/\.js$/, ".mjs"));
  writeFileSync(file, text);
  const loaded = await loadPlugIns({ devices: [{ file }], loaders: [] });
  const kernel = { name: "k", bytes: pvhElf(LOAD_ADDRESS, Uint8Array.of(0xf4), LOAD_ADDRESS) };
  const clock = { deterministic: { nsPerInstruction: 10 }, rtcStart: 0 };
  const plan = buildPlan(withDevices({ kernel, clock }, loaded), loaded);
  assert.equal(plan.devices.at(-1)?.type, "shouter");

  const run = (main: FakeProgram["main"], states?: BoardState): BoardState => {
    const machine = new Machine({
      plan,
      types: loaded.parts,
      engine: createFakeEngine({ main }),
      console: new TestConsole(),
      hostNow: () => 0,
      board: (context) => buildBoard(context, states),
    });
    machine.run(100);
    assert.equal(machine.end?.kind, "halted", machine.end?.reason);
    return machine.saveParts();
  };
  const states = run(function* (cpu) {
    for (const char of "abc") cpu.writeMmio(REGISTERS, char.charCodeAt(0), 1);
    assert.equal(cpu.readMmio(REGISTERS, 1), "A".charCodeAt(0));
    yield "hlt";
  });
  run(
    function* (cpu) {
      assert.equal(cpu.readMmio(LINE_STATUS, 1), 0x61);
      for (const char of "BC") assert.equal(cpu.readMmio(REGISTERS, 1), char.charCodeAt(0));
      assert.equal(cpu.readMmio(LINE_STATUS, 1), 0x60, "it has said everything");
      yield "hlt";
    },
    JSON.parse(JSON.stringify(states)) as BoardState,
  );
  run(function* (cpu) {
    assert.equal(cpu.readMmio(LINE_STATUS, 1), 0x60, "made from nothing it has nothing to say");
    yield "hlt";
  });
});
