/**
 * Machines whose guest makes its devices, or its other CPUs, as busy as it can; and memory that changes under
 * running code. The monitor keeps its pace: every step comes back, and the guest still gets to run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { buildBoard, type Board, type BoardContext } from "../../src/machine/board.js";
import { Machine } from "../../src/machine/machine.js";
import { LAPIC_MMIO } from "../../src/memory/layout.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { DELIVERY, ICR, LAPIC, LVT, LVT_TIMER_MODE, SVR } from "../../src/spec/apic.js";
import {
  addressOf,
  al,
  ax,
  Assembler,
  at,
  ds,
  dword,
  dx,
  eax,
  ecx,
  edx,
  es,
  esp,
  gate32,
  ss,
  TYPE_INTERRUPT_GATE,
} from "../support/asm/index.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const STACK = 0x180000;
const MEMORY = 0x400000;
/** Selector of the flat code segment that PVH guests are entered with here. */
const PVH_CODE = 0x10;
const VECTOR_TIMER = 0x30;
const VECTOR_PIC = 0x40;
const LONGEST_STEP_MS = 2_000;
const PIT_COMMAND = PC_PORTS.pit.start + 3;
/** Channel 0, both bytes, rate generator. */
const PIT_RATE_GENERATOR = 0x34;

interface Storm {
  machine: Machine;
  console: TestConsole;
  context: BoardContext;
  address: (label: string) => number;
}

/** Segments, an IDT whose every gate leads to the label "interrupt", and a stack; then what `write` assembles. */
function storm(
  write: (a: Assembler) => void,
  options: { cpus?: number; nsPerInstruction?: number; board?: (context: BoardContext) => Board } = {},
): Storm {
  const a = new Assembler(LOAD, 32);
  a.label("entry").mov(esp, STACK).movFromSegment(eax, ds);
  for (const segment of [ds, es, ss]) a.movToSegment(segment, ax);
  a.lidt(at("idtr"));
  write(a);
  a.align(8).label("idt");
  a.dq(
    ...Array.from({ length: 256 }, () =>
      gate32({ selector: PVH_CODE, offset: a.address("interrupt"), type: TYPE_INTERRUPT_GATE }),
    ),
  );
  a.label("idtr")
    .dw(256 * 8 - 1)
    .dd(addressOf("idt"));
  const [{ bytes }] = a.link();
  const console = new TestConsole();
  let seen: BoardContext | undefined;
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "storm", bytes: pvhElf(LOAD, bytes, LOAD) },
      memory: MEMORY,
      cpus: options.cpus ?? 1,
      ...(options.nsPerInstruction === undefined
        ? {}
        : { clock: { deterministic: { nsPerInstruction: options.nsPerInstruction } } }),
    }),
    engine: createWasmEngine(),
    console,
    hostNow: () => performance.now() * 1e6,
    board: (context) => {
      seen = context;
      return (options.board ?? buildBoard)(context);
    },
  });
  return { machine, console, context: seen!, address: (label) => a.address(label) };
}

/** Steps until `instructions` were executed or `steps` were done; every step comes back soon. */
function keepsPace(machine: Machine, instructions: number, steps = 200_000): number {
  let left = instructions;
  for (let i = 0; i < steps && left > 0; i++) {
    const start = performance.now();
    const step = machine.step(left);
    const took = performance.now() - start;
    assert.ok(took < LONGEST_STEP_MS, `a step took ${took} ms`);
    if (step.state === "ended") assert.fail(JSON.stringify(step.end));
    if (step.state === "ran") left -= step.instructions;
  }
  return instructions - left;
}

const lapic = (offset: number): ReturnType<typeof dword> => dword(LAPIC_MMIO.start + offset);

/** The local APIC's timer with a period of one tick, the 8254 with one of one tick: as fast as both go. */
function fastestTimers(a: Assembler): void {
  a.mov(lapic(LAPIC.spurious), SVR.enable | 0xff).mov(lapic(LAPIC.divide), 0xb);
  a.mov(lapic(LAPIC.lvtTimer), (LVT_TIMER_MODE.periodic << LVT.timerModeShift) | VECTOR_TIMER);
  a.mov(lapic(LAPIC.initialCount), 1);
  for (const [port, value] of [
    [PC_PORTS.picMaster.start, 0x11],
    [PC_PORTS.picMaster.start + 1, VECTOR_PIC],
    [PC_PORTS.picMaster.start + 1, 4],
    [PC_PORTS.picMaster.start + 1, 1],
    [PC_PORTS.picMaster.start + 1, 0xfe],
    [PIT_COMMAND, PIT_RATE_GENERATOR],
    [PC_PORTS.pit.start, 1],
    [PC_PORTS.pit.start, 0],
  ]) {
    a.mov(al, value).out(8, port);
  }
}

function acknowledge(a: Assembler): void {
  a.label("interrupt").push(eax).inc(dword("interrupts")).mov(lapic(LAPIC.endOfInterrupt), 0);
  a.mov(al, 0x20).out(8, PC_PORTS.picMaster.start).pop(eax).iret();
  a.align(4).label("interrupts").dd(0).label("rounds").dd(0);
}

const value = ({ machine, address }: Storm, label: string): number =>
  new DataView(machine.memory.read(address(label), 4).buffer).getUint32(0, true);

for (const [clock, options] of [
  ["one instruction a microsecond", { nsPerInstruction: 1000 }],
  ["one instruction a nanosecond", { nsPerInstruction: 1 }],
  ["real time", {}],
] as const) {
  test(`isolation: timers of one tick leave the guest time to run, ${clock}`, () => {
    const made = storm((a) => {
      fastestTimers(a);
      a.sti().label("round").inc(dword("rounds")).jmp("round");
      acknowledge(a);
    }, options);
    keepsPace(made.machine, 500_000);
    assert.ok(value(made, "rounds") > 1000, `${value(made, "rounds")} rounds`);
    assert.ok(value(made, "interrupts") > 10, `${value(made, "interrupts")} interrupts`);
    made.machine.dispose();
  });
}

test("isolation: a guest that sleeps through timers which cannot wake it gives control back", () => {
  const made = storm(
    (a) => {
      fastestTimers(a);
      a.mov(al, 0xff).out(8, PC_PORTS.picMaster.start + 1);
      a.mov(
        lapic(LAPIC.lvtTimer),
        LVT.masked | (LVT_TIMER_MODE.periodic << LVT.timerModeShift) | VECTOR_TIMER,
      );
      a.sti().hlt().jmp("entry");
      acknowledge(a);
    },
    { nsPerInstruction: 10 },
  );
  keepsPace(made.machine, 1_000_000, 5_000);
  assert.equal(made.machine.end, undefined);
  assert.ok(made.machine.now() > 0);
  made.machine.dispose();
});

test("isolation: INIT, start-up IPIs and NMIs to every other CPU, all the time", () => {
  const trampoline = 0x8000;
  const made = storm(
    (a) => {
      const command = (mode: number, vector: number): number =>
        (mode << ICR.modeShift) | ICR.assert | vector | (3 << ICR.shorthandShift);
      // CLI; HLT; JMP back: but an NMI finds zeros for a vector table.
      a.mov(lapic(LAPIC.spurious), SVR.enable | 0xff).mov(dword(trampoline), 0xfcebf4fa);
      a.label("round");
      for (const [mode, vector] of [
        [DELIVERY.init, 0],
        [DELIVERY.startUp, trampoline >> 12],
        [DELIVERY.startUp, trampoline >> 12],
        [DELIVERY.nmi, 0],
        [DELIVERY.fixed, VECTOR_TIMER],
        [DELIVERY.startUp, 0xff],
      ]) {
        a.mov(lapic(LAPIC.commandLow), command(mode, vector)).mov(ecx, 50).label(a.fresh("wait"));
        a.db(0xe2, 0xfe);
      }
      a.inc(dword("rounds")).jmp("round");
      acknowledge(a);
    },
    { cpus: 4, nsPerInstruction: 10 },
  );
  keepsPace(made.machine, 1_000_000);
  assert.ok(value(made, "rounds") >= 3, `${value(made, "rounds")} rounds`);
  made.machine.dispose();
});

test("isolation: memory that a timer's callback writes under running code is executed at once", () => {
  const made = storm(
    (a) => {
      a.mov(edx, PC_PORTS.com1.start).label("again").label("letter").mov(al, 0x41).out(8, "dx").jmp("again");
      acknowledge(a);
      a.mov(dx, ax);
    },
    { nsPerInstruction: 10 },
  );
  const { machine, console, context, address } = made;
  const later = (ns: number, bytes: number[]): void => {
    context.timers.schedule(ns, () => machine.memory.write(address("letter"), Uint8Array.from(bytes)));
  };
  later(100_000, [0xb0, 0x42]);
  later(200_000, [0xb0, 0x43]);
  // CLI, HLT: the machine halts.
  later(300_000, [0xfa, 0xf4]);
  machine.run(1_000_000);
  assert.match(console.text, /^A+B+C+$/);
  for (const letter of "ABC") {
    // 10 000 instructions each, three an output; the first few set up.
    const printed = console.text.split(letter).length - 1;
    assert.ok(Math.abs(printed - 3333) <= 5, `${printed} × ${letter}`);
  }
  assert.equal(machine.end?.route, "interrupts-off");
  machine.dispose();
});

test("isolation: a device that breaks ends the machine with a report, not the monitor", () => {
  const { machine } = storm(
    (a) => {
      a.label("round").out(8, 0x80).jmp("round");
      acknowledge(a);
    },
    {
      board: (context) => {
        const board = buildBoard(context);
        board.ports.write = () => {
          throw new Error("a device broke");
        };
        return board;
      },
    },
  );
  machine.run(1000);
  assert.equal(machine.end?.kind, "crashed");
  assert.equal(machine.end.route, "engine-error");
  assert.match(machine.end.reason ?? "", /a device broke/);
  machine.dispose();
});
