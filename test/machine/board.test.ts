/** The real devices, wired, under scripted CPUs: interrupts arrive where a PC has them, every way out is named. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { buildPlan } from "../../src/boot/index.js";
import { usualParts } from "../../src/boot/parts.js";
import type { Plan } from "../../src/boot/plan.js";
import type { MachineEnd } from "../../src/machine/end.js";
import { Machine, type MachineOptions } from "../../src/machine/machine.js";
import { SLP_TYP_S5 } from "../../src/spec/acpi.js";
import { createFakeEngine, type FakeProgram, type Script, type ScriptCpu } from "../support/fake-engine.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const HLT = Uint8Array.of(0xf4);
const LOAD_ADDRESS = 0x100000;
const NS_PER_INSTRUCTION = 10;
const SECOND_NS = 1e9;
/** Enough for every program here. */
const INSTRUCTIONS = 3e6;
/** A slow CPU, so that a second is few instructions. */
const SLOW_NS = 4000;
const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;

function plan(cpus = 1, nsPerInstruction = NS_PER_INSTRUCTION): Plan {
  return buildPlan({
    kernel: { name: "hlt", bytes: pvhElf(LOAD_ADDRESS, HLT, LOAD_ADDRESS) },
    memory: 0x400000,
    cpus,
    clock: { deterministic: { nsPerInstruction }, rtcStart: 1_700_000_000 },
  });
}

function run(
  program: FakeProgram,
  cpus = 1,
  nsPerInstruction = NS_PER_INSTRUCTION,
): { end: MachineEnd | undefined; console: TestConsole } {
  const console = new TestConsole();
  const options: MachineOptions = {
    plan: plan(cpus, nsPerInstruction),
    engine: createFakeEngine(program),
    console,
    hostNow: () => assert.fail("host time in a deterministic run"),
  };
  const machine = new Machine(options);
  machine.run(INSTRUCTIONS);
  return { end: machine.end, console };
}

function* work(count: number): Script {
  for (let i = 0; i < count; i++) yield;
}

/** Sets the 8259 pair up as kernels do, vectors from `base`, all masked but `open`. */
function initPic(cpu: ScriptCpu, base: number, open: number): void {
  const words: [number, number][] = [
    [0x20, 0x11],
    [0xa0, 0x11],
    [0x21, base],
    [0xa1, base + 8],
    [0x21, 4],
    [0xa1, 2],
    [0x21, 1],
    [0xa1, 1],
    [0x21, ~open & 0xff],
    [0xa1, 0xff],
  ];
  for (const [port, value] of words) cpu.out(port, value);
}

/** Channel 0 as a rate generator of 1 kHz. */
function startPit(cpu: ScriptCpu): void {
  cpu.out(0x43, 0x34);
  cpu.out(0x40, 1193 & 0xff);
  cpu.out(0x40, 1193 >> 8);
}

function ioapicWrite(cpu: ScriptCpu, register: number, value: number): void {
  cpu.writeMmio(IOAPIC, register);
  cpu.writeMmio(IOAPIC + 0x10, value);
}

test("R3.8 every way out that a guest has ends the machine by its own name", () => {
  const ways: [route: string, kind: string, status: number, (cpu: ScriptCpu) => void][] = [
    ["i8042", "reset", 0, (cpu) => cpu.out(0x64, 0xfe)],
    ["port-cf9", "reset", 0, (cpu) => (cpu.out(0xcf9, 2), cpu.out(0xcf9, 6))],
    ["port-92", "reset", 0, (cpu) => cpu.out(0x92, 1)],
    ["acpi-s5", "off", 0, (cpu) => cpu.out(0x604, (SLP_TYP_S5 << 10) | (1 << 13), 2)],
    ["debug-exit", "off", 0x2b, (cpu) => cpu.out(0xf4, 0x15, 4)],
  ];
  for (const [route, kind, status, leave] of ways) {
    const { end } = run({
      *main(cpu) {
        yield;
        leave(cpu);
        yield;
        assert.fail(`still running after ${route}`);
      },
    });
    assert.deepEqual({ route: end?.route, kind: end?.kind, status: end?.status }, { route, kind, status });
  }
});

test("R3.2 the 8254 interrupts through 8259 and LINT0 before any APIC is set up", () => {
  const vectors: number[] = [];
  run({
    *main(cpu) {
      initPic(cpu, 0x20, 1 << 0);
      startPit(cpu);
      cpu.setInterrupts(true);
      yield* work(SECOND_NS / NS_PER_INSTRUCTION / 100);
      cpu.out(0xf4, 0);
      yield;
    },
    interrupt(cpu, vector) {
      vectors.push(vector);
      cpu.out(0x20, 0x60);
    },
  });
  // 10 ms at 1 kHz, and the edge of the output going high when the mode is set.
  assert.ok(vectors.length >= 9 && vectors.length <= 11, `${vectors.length} interrupts`);
  assert.deepEqual([...new Set(vectors)], [0x20]);
});

test("R3.2 the 8254 interrupts through I/O APIC pin 2 once the local APIC is on", () => {
  const vectors: number[] = [];
  const { end } = run({
    *main(cpu) {
      cpu.writeMmio(LAPIC + 0xf0, 0x1ff);
      cpu.writeMmio(LAPIC + 0x350, 0x10000);
      ioapicWrite(cpu, 0x10 + 2 * 2, 0x30);
      startPit(cpu);
      cpu.setInterrupts(true);
      for (let i = 0; i < 5; i++) yield "hlt";
      cpu.out(0xf4, 1);
      yield;
    },
    interrupt(cpu, vector) {
      vectors.push(vector);
      cpu.writeMmio(LAPIC + 0xb0, 0);
    },
  });
  assert.equal(end?.route, "debug-exit");
  assert.deepEqual(vectors, [0x30, 0x30, 0x30, 0x30, 0x30]);
});

test("R3.4 another CPU starts by INIT and start-up IPIs of the local APIC and has its own id", () => {
  let started: { id: number; vector: number | undefined; apicId: number } | undefined;
  const { end } = run(
    {
      *main(cpu, vector) {
        if (cpu.id > 0) {
          started = { id: cpu.id, vector, apicId: cpu.readMmio(LAPIC + 0x20) >>> 24 };
          cpu.out(0xf4, 0);
          yield;
          return;
        }
        cpu.writeMmio(LAPIC + 0xf0, 0x1ff);
        cpu.writeMmio(LAPIC + 0x310, 1 << 24);
        cpu.writeMmio(LAPIC + 0x300, 0xc500);
        yield* work(100);
        cpu.writeMmio(LAPIC + 0x310, 1 << 24);
        cpu.writeMmio(LAPIC + 0x300, 0x699);
        yield* work(100_000);
      },
    },
    2,
  );
  assert.equal(end?.route, "debug-exit");
  assert.deepEqual(started, { id: 1, vector: 0x99, apicId: 1 });
});

test("R3.2 over a second TSC, 8254, APIC timer, PM timer and RTC agree within 0.1 %", () => {
  let measured: Record<string, number> = {};
  const PIT_HZ = 1_193_182;
  const PM_HZ = 3_579_545;
  run(
    {
      *main(cpu) {
        const pit = (): number => {
          cpu.out(0x43, 0x00);
          return cpu.in(0x40) | (cpu.in(0x40) << 8);
        };
        const rtcSecond = (): number => {
          cpu.out(0x70, 0);
          return cpu.in(0x71);
        };
        cpu.out(0x43, 0x34);
        cpu.out(0x40, 0);
        cpu.out(0x40, 0);
        cpu.writeMmio(LAPIC + 0x3e0, 0xb);
        cpu.writeMmio(LAPIC + 0x380, 0xffffffff);
        const second = rtcSecond();
        while (rtcSecond() === second) yield;
        const start = { tsc: cpu.rdtsc(), pm: cpu.in(0x608, 4), apic: cpu.readMmio(LAPIC + 0x390) };
        let pitTicks = 0;
        let last = pit();
        const from = rtcSecond();
        while (rtcSecond() === from) {
          yield* work(25);
          const now = pit();
          pitTicks += (last - now) & 0xffff;
          last = now;
        }
        measured = {
          tsc: (cpu.rdtsc() - start.tsc) / 1e9,
          pit: pitTicks / PIT_HZ,
          pm: (cpu.in(0x608, 4) - start.pm) / PM_HZ,
          apic: (start.apic - cpu.readMmio(LAPIC + 0x390)) / 1e8,
        };
        cpu.out(0xf4, 0);
        yield;
      },
    },
    1,
    SLOW_NS,
  );
  for (const [name, seconds] of Object.entries(measured)) {
    assert.ok(Math.abs(seconds - 1) < 0.001, `${name}: ${seconds} s in an RTC second`);
  }
  assert.equal(Object.keys(measured).length, 4);
});

test("the serial port sends to the console, and what is typed arrives by interrupt", () => {
  const received: number[] = [];
  const console = new TestConsole();
  const machine = new Machine({
    plan: plan(),
    console,
    hostNow: () => 0,
    engine: createFakeEngine({
      *main(cpu) {
        initPic(cpu, 0x20, 1 << 4);
        for (const char of "login: ") cpu.out(0x3f8, char.charCodeAt(0));
        cpu.out(0x3fa, 0x07);
        cpu.out(0x3fc, 0x0b);
        cpu.out(0x3f9, 1);
        cpu.setInterrupts(true);
        while (received.length < 40) yield "hlt";
        cpu.out(0xf4, 0);
        yield;
      },
      interrupt(cpu, vector) {
        assert.equal(vector, 0x24);
        while ((cpu.in(0x3fd) & 1) !== 0) received.push(cpu.in(0x3f8));
        cpu.out(0x20, 0x64);
      },
    }),
  });
  const typed = Buffer.from("0123456789012345678901234567890123456789");
  console.queue.push(...typed);
  machine.run(1e6);
  assert.equal(console.text, "login: ");
  assert.equal(machine.end?.route, "debug-exit");
  assert.deepEqual(Buffer.from(received), typed);
});

test("an access at an absent port reads ones and changes nothing", () => {
  const { end } = run({
    *main(cpu) {
      assert.equal(cpu.in(0x2f9), 0xff);
      assert.equal(cpu.in(0xcf8, 4), 0xffffffff);
      cpu.out(0xcf8, 0x80000000, 4);
      assert.equal(cpu.readMmio(0xd0000000), 0xffffffff);
      yield "hlt";
    },
  });
  assert.equal(end?.kind, "halted");
});

test("R1.6 a plan with a part of no type is refused by its name", () => {
  const odd = { ...plan(), devices: [{ name: "doc", type: "flux capacitor" }] };
  const engine = createFakeEngine({ main: () => work(1) });
  assert.throws(
    () => new Machine({ plan: odd, engine, console: new TestConsole(), hostNow: () => 0 }),
    /part "doc": found type "flux capacitor"; expected lapic, i8259/,
  );
});

test("R1.6 a serial port that was moved is where the plan has it: the old port reads ones", () => {
  const devices = usualParts({ firmware: false, vga: false }).map((one) =>
    one.type === "uart16550" ? { ...one, ports: [{ start: 0x2f8 }], irqs: [3] } : one,
  );
  const kernel = { name: "hlt", bytes: pvhElf(LOAD_ADDRESS, HLT, LOAD_ADDRESS) };
  const clock = { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION }, rtcStart: 0 };
  const console = new TestConsole();
  const machine = new Machine({
    plan: buildPlan({ kernel, devices, clock }),
    console,
    hostNow: () => 0,
    engine: createFakeEngine({
      *main(cpu) {
        assert.equal(cpu.in(0x3fd), 0xff);
        assert.equal(cpu.in(0x2fd), 0x60);
        cpu.out(0x3f8, 0x41);
        cpu.out(0x2f8, 0x42);
        cpu.out(0xf4, 0);
        yield;
      },
    }),
  });
  machine.run(INSTRUCTIONS);
  assert.equal(machine.end?.route, "debug-exit");
  assert.equal(console.text, "B");
});
