/**
 * R3.8: a reset by whatever route is a machine as it was planned: RAM, devices, CPUs. The guest looks at all of it at its
 * first instructions, says what it finds, makes all of it different and asks for the next reset.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import type { BoardState } from "../../src/machine/board.js";
import { Machine, type MachineOptions } from "../../src/machine/machine.js";
import { RTC_B } from "../../src/spec/mc146818.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { al, at, Assembler, dword, eax, ecx, edx, esp } from "../support/asm/index.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const STACK = 0x180000;
const MEMORY = 0x400000;
/** RAM that the plan leaves zero. */
const MARK = 0x200000;
const UART_SCRATCH = PC_PORTS.com1.start + 7;
const PIC_MASK = PC_PORTS.picMaster.start + 1;
const RTC_SECONDS_ALARM = 1;
const RTC_B_INDEX = 0x0b;
/** A byte of CMOS RAM that nobody uses. */
const CMOS_SPARE = 0x60;
const RESETS = 3;

type Write = (a: Assembler) => void;

const ROUTES: Record<string, Write> = {
  i8042: (a) => a.mov(al, 0xfe).out(8, PC_PORTS.keyboardCommand.start),
  "port-cf9": (a) => a.mov(edx, PC_PORTS.resetControl.start).mov(al, 6).out(8, "dx"),
  "port-92": (a) => a.mov(al, 3).out(8, PC_PORTS.systemControlA.start),
  "triple-fault": (a) => a.lidt(at("nothing")).ud2(),
};

function print(a: Assembler, letter: string): void {
  a.mov(edx, PC_PORTS.com1.start).mov(al, letter.charCodeAt(0)).out(8, "dx");
}

/** Prints `letter` where the last comparison found a difference. */
function complain(a: Assembler, letter: string): void {
  const right = `right ${letter}`;
  a.jcc("e", right);
  print(a, letter);
  a.label(right);
}

function cmos(a: Assembler, index: number): Assembler {
  return a.mov(al, index).out(8, PC_PORTS.rtc.start);
}

function guest(route: Write): Uint8Array {
  const a = new Assembler(LOAD, 32);
  a.label("entry").mov(esp, STACK);
  // RAM: zeros, and the image as it was loaded.
  a.mov(eax, dword(MARK)).cmp(eax, 0);
  complain(a, "m");
  a.mov(eax, dword("word")).cmp(eax, 0x1234);
  complain(a, "i");
  // The serial port's and the interrupt controller's registers.
  a.mov(edx, UART_SCRATCH).in(8, "dx").cmp(al, 0);
  complain(a, "u");
  a.in(8, PIC_MASK).cmp(al, 0x5a);
  a.jcc("ne", "right p");
  print(a, "p");
  a.label("right p");
  // A battery keeps the clock's memory: it counts resets. Its interrupts are off.
  cmos(a, RTC_B_INDEX)
    .in(8, PC_PORTS.rtc.start + 1)
    .test(al, RTC_B.periodicEnable);
  complain(a, "r");
  cmos(a, CMOS_SPARE)
    .in(8, PC_PORTS.rtc.start + 1)
    .mov(ecx, eax);
  a.mov(edx, PC_PORTS.com1.start).add(al, 0x30).out(8, "dx");
  a.mov(al, CMOS_SPARE)
    .out(8, PC_PORTS.rtc.start)
    .mov(eax, ecx)
    .inc(eax)
    .out(8, PC_PORTS.rtc.start + 1);
  // All of it becomes different.
  a.mov(eax, 1).mov(dword(MARK), eax).mov(dword("word"), eax);
  a.mov(edx, UART_SCRATCH).mov(al, 0x77).out(8, "dx");
  a.mov(al, 0x5a).out(8, PIC_MASK);
  cmos(a, RTC_B_INDEX)
    .mov(al, RTC_B.periodicEnable | RTC_B.hours24)
    .out(8, PC_PORTS.rtc.start + 1);
  cmos(a, RTC_SECONDS_ALARM);
  route(a);
  a.label("wait").hlt().jmp("wait");
  a.align(8).label("word").dd(0x1234).label("nothing").dw(0).dd(0);
  return a.link()[0].bytes;
}

function machineOf(
  route: string,
  options: Partial<MachineOptions>,
): { machine: Machine; console: TestConsole } {
  const console = new TestConsole();
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "reset", bytes: pvhElf(LOAD, guest(ROUTES[route]), LOAD) },
      memory: MEMORY,
      cpus: 2,
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine: createWasmEngine(),
    console,
    hostNow: () => assert.fail("host time in a deterministic run"),
    tripleFault: "reset",
    ...options,
  });
  return { machine, console };
}

/** What differs by the time alone. */
function withoutTime(state: BoardState): BoardState {
  const { mc146818: _clock, ...others } = structuredClone(state);
  delete (others["acpi-pm"] as { timerSeen?: number }).timerSeen;
  return others;
}

for (const route of Object.keys(ROUTES)) {
  test(`R3.8 a reset by ${route} is a machine as it was planned, ${RESETS} times, and the next one ends it`, () => {
    const states: BoardState[] = [];
    const routes: string[] = [];
    const { machine, console } = machineOf(route, {
      maxResets: RESETS,
      onReset: (by) => {
        routes.push(by);
        states.push(machine.saveParts());
      },
    });
    const first = machine.saveParts();
    machine.run(100_000);
    assert.equal(console.text, "0123", "no complaint; the battery kept the count");
    assert.deepEqual(routes, new Array(RESETS).fill(route));
    for (const state of states) assert.deepEqual(withoutTime(state), withoutTime(first));
    assert.deepEqual([machine.end?.kind, machine.end?.route], ["reset", route]);
    assert.equal(machine.stats().resets, RESETS);
    machine.dispose();
  });
}

test("R3.8 without leave every reset is an end, and whoever is asked may refuse a restart", () => {
  for (const options of [{}, { maxResets: Infinity, mayRestart: () => false }]) {
    const { machine, console } = machineOf("i8042", options);
    machine.run(100_000);
    assert.equal(console.text, "0");
    assert.deepEqual([machine.end?.kind, machine.end?.route], ["reset", "i8042"]);
    machine.dispose();
  }
});

test("R3.8 a machine that resets itself for ever still lets itself be stopped", () => {
  const { machine } = machineOf("port-cf9", { maxResets: Infinity });
  const step = machine.run(5_000);
  assert.equal(step.state, "ran");
  assert.ok(machine.stats().resets > 50, `${machine.stats().resets} resets`);
  machine.dispose();
});
