/** The device that suites of unit tests for hypervisors expect, and what they ask without firmware. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { Machine } from "../../src/machine/machine.js";
import { createFakeEngine, type Script, type ScriptCpu } from "../support/fake-engine.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const MEMORY = 0x400000;
const CPUS = 2;
const MMIO = 0xff000000;
const FW_CFG_CPUS = 5;

/** Runs one script on the first CPU of a machine with the device, and gives what was printed. */
function withTestdev(script: (cpu: ScriptCpu) => void): string {
  const console = new TestConsole();
  const plan = buildPlan({
    kernel: { name: "hlt", bytes: pvhElf(LOAD, Uint8Array.of(0xf4), LOAD) },
    memory: MEMORY,
    cpus: CPUS,
    testdev: true,
    clock: { deterministic: { nsPerInstruction: 10 } },
  });
  const engine = createFakeEngine({
    *main(cpu): Script {
      script(cpu);
      yield "hlt";
    },
  });
  const machine = new Machine({ plan, engine, console, hostNow: () => 0 });
  machine.run(1000);
  assert.equal(machine.end?.kind, "halted", machine.end?.reason);
  return console.text;
}

test("testdev: one register, in accesses of every size, and byte by byte", () => {
  withTestdev((cpu) => {
    cpu.out(0xe0, 0x44332211, 4);
    assert.deepEqual(
      [cpu.in(0xe0), cpu.in(0xe1), cpu.in(0xe2, 2), cpu.in(0xe0, 4)],
      [0x11, 0x22, 0x4433, 0x44332211],
    );
    cpu.out(0xe2, 0xbeef, 2);
    assert.equal(cpu.in(0xe8, 4), 0xbeef2211);
    cpu.out(0xeb, 0x77);
    assert.equal(cpu.in(0xe0, 4), 0x77ef2211);
  });
});

test("testdev: a byte to port 0xe9 is printed, and the port reads as Bochs' does", () => {
  const text = withTestdev((cpu) => {
    assert.equal(cpu.in(0xe9), 0xe9);
    for (const letter of "hi\n") cpu.out(0xe9, letter.charCodeAt(0));
  });
  assert.equal(text, "hi\n");
});

test("testdev: raises and lowers any interrupt line", () => {
  withTestdev((cpu) => {
    const requested = (): number => {
      cpu.out(0x20, 0x0a);
      return cpu.in(0x20);
    };
    assert.equal(requested() & 0x20, 0);
    cpu.out(0x2005, 1);
    assert.equal(requested() & 0x20, 0x20);
    cpu.out(0x2005, 0);
    // Only the I/O APIC has it; nothing breaks.
    cpu.out(0x2017, 1);
  });
});

test("testdev: its memory keeps what is written", () => {
  withTestdev((cpu) => {
    assert.equal(cpu.readMmio(MMIO + 0xfffc), 0);
    cpu.writeMmio(MMIO + 0xfffc, 0x12345678);
    assert.equal(cpu.readMmio(MMIO + 0xfffc), 0x12345678);
  });
});

test("testdev: fw_cfg tells the machine's facts without firmware", () => {
  withTestdev((cpu) => {
    const read = (key: number, size: number): number[] => {
      cpu.out(0x510, key, 2);
      return Array.from({ length: size }, () => cpu.in(0x511));
    };
    assert.equal(String.fromCharCode(...read(0, 4)), "QEMU");
    assert.deepEqual(read(FW_CFG_CPUS, 2), [CPUS, 0]);
    assert.deepEqual(read(3, 4), [0, 0, MEMORY / 0x10000, 0]);
  });
});
