/**
 * What the engine contract promises beyond the architecture: exact budgets and counts, interrupts at a chosen
 * instruction, stops, halts, state in and out, memory written from outside. Driven from the host, so it has no
 * counterpart on a reference machine.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine, Exit } from "../../src/engine/contract.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { al, dword, eax, ebx, ecx, edi, esi, rax, rbx } from "../support/asm/index.js";
import { prologue } from "./support/environments.js";
import { guest } from "./support/guest.js";
import type { Guest, GuestBuilder } from "./support/guest.js";
import * as layout from "./support/layout.js";
import { finish, load } from "./support/on-engine.js";
import type { Session } from "./support/on-engine.js";
import { differences } from "./support/outcome.js";

const CITES = "src/engine/contract.ts";
const VECTOR = 0x40;
const NMI_VECTOR = 2;

/** Loads a guest, runs `drive`, releases the VM. */
function withGuest(engine: Engine, made: Guest, drive: (session: Session) => void): void {
  const session = load(engine, made);
  try {
    drive(session);
  } finally {
    session.vm.dispose();
  }
}

const make = (write: (g: GuestBuilder) => void): Guest => guest("contract", { cites: CITES }, write);

function expectGuest(made: Guest, session: Session, slice?: number): void {
  assert.deepEqual(differences(made, finish(session, slice)), []);
}

/** A bit of everything whose count must not depend on how it is cut: loops, REP, faults, user mode. */
function busyGuest(): Guest {
  return make((g) => {
    prologue(g.a);
    const { a } = g;
    a.mov(ecx, 200).xor(eax, eax).label("loop").add(eax, ecx).rol(eax, 3).loop("loop");
    a.mov(esi, layout.DATA)
      .mov(edi, layout.DATA + 0x100)
      .mov(ecx, 77)
      .rep()
      .movs(8);
    g.fault({ vector: 6 }, () => a.ud2());
    a.rdtsc().mov(dword(layout.DATA), eax);
    g.user(() => {
      a.mov(ecx, 50).label("user").dec(ecx).jcc("ne", "user");
      g.fault({ vector: 13 }, () => a.cli());
    });
    a.mov(al, 1);
    g.exit();
  });
}

/** NOPs in a row behind the prologue; labels n0, n1, … before each. */
function nops(g: GuestBuilder, count: number): void {
  for (let i = 0; i < count; i++) g.a.label(`n${i}`).nop();
}

function budgets(engine: Engine): void {
  test("R6.3 a budget of n runs exactly n instructions", () => {
    const made = make((g) => {
      nops(g, 100);
      g.exit();
    });
    withGuest(engine, made, ({ cpu, run }) => {
      for (const [budget, at] of [
        [1, 1],
        [2, 3],
        [7, 10],
        [50, 60],
      ]) {
        assert.deepEqual(run(budget), { reason: "budget" } satisfies Exit);
        assert.equal(cpu.instructions, at);
        assert.equal(cpu.readState().rip, BigInt(made.label(`n${at}`)));
      }
    });
  });

  test("R6.3 each turn of REP counts, and a budget may end between two", () => {
    const made = make((g) => {
      g.a.mov(edi, layout.DATA).mov(ecx, 10).label("rep").rep().stos(8).label("behind").nop();
      g.exit();
    });
    withGuest(engine, made, ({ cpu, run }) => {
      run(2 + 4);
      assert.equal(cpu.instructions, 6);
      const middle = cpu.readState();
      assert.equal(middle.rip, BigInt(made.label("rep")));
      assert.equal(middle.gpr[1], 6n);
      run(6);
      assert.equal(cpu.readState().rip, BigInt(made.label("behind")));
      assert.equal(cpu.instructions, 12);
    });
  });

  test("R6.3 the instruction count does not depend on how a run is cut into budgets", () => {
    const made = busyGuest();
    const counts = [1_000_000, 1000, 13, 1].map((slice) => {
      let count = 0;
      withGuest(engine, made, (session) => {
        expectGuest(made, session, slice);
        count = session.cpu.instructions;
      });
      return count;
    });
    assert.equal(new Set(counts).size, 1, `counts: ${counts.join(", ")}`);
  });

  test("R6.3 two runs give the same state at every instruction", () => {
    const made = busyGuest();
    const trace = (): string[] => {
      const states: string[] = [];
      withGuest(engine, made, ({ cpu, run, host }) => {
        while (host.exitCode === undefined && states.length < 2000) {
          run(1);
          const { gpr, rip, rflags } = cpu.readState();
          states.push([rip, rflags, ...gpr].map((v) => v.toString(16)).join(" "));
        }
      });
      return states;
    };
    assert.deepEqual(trace(), trace());
  });
}

function stopping(engine: Engine): void {
  test("stop ends a run at the next instruction boundary", () => {
    const made = make((g) => {
      g.a.mov(eax, 5).out(8, layout.TEXT_PORT).label("behind").inc(eax).inc(eax);
      g.exit();
    });
    withGuest(engine, made, ({ cpu, host, run }) => {
      const write = host.writePort.bind(host);
      host.writePort = (...args) => {
        write(...args);
        if (args[1] === layout.TEXT_PORT) cpu.stop();
      };
      assert.deepEqual(run(1000), { reason: "stop" } satisfies Exit);
      assert.equal(cpu.readState().rip, BigInt(made.label("behind")));
      assert.equal(cpu.instructions, 2);
      run(2);
      assert.equal(cpu.readState().gpr[0], 7n);
    });
  });

  test("HLT gives `halt`, says whether it can be woken, and wakes by the interrupt line", () => {
    const made = make((g) => {
      prologue(g.a);
      g.a.sti().hlt().label("behind").mov(ebx, 1).cli();
      g.expectEvent({ vector: VECTOR, rip: "behind" });
      g.expect(ebx, 1, "woken");
      g.exit();
    });
    withGuest(engine, made, (session) => {
      const { cpu, host, run } = session;
      assert.deepEqual(run(1000), { reason: "halt", interruptible: true } satisfies Exit);
      assert.equal(cpu.readState().halted, true);
      assert.deepEqual(run(1000), { reason: "halt", interruptible: true } satisfies Exit);
      host.raise(VECTOR);
      expectGuest(made, session);
      assert.equal(cpu.readState().halted, false);
    });
  });

  test("a non-maskable interrupt wakes HLT with IF clear", () => {
    const made = make((g) => {
      prologue(g.a);
      g.a.cli().hlt().label("behind");
      g.expectEvent({ vector: NMI_VECTOR, rip: "behind", error: 0 });
      g.exit();
    });
    withGuest(engine, made, (session) => {
      assert.deepEqual(session.run(1000), { reason: "halt", interruptible: false } satisfies Exit);
      session.host.raise(VECTOR);
      assert.deepEqual(session.run(1000), { reason: "halt", interruptible: false } satisfies Exit);
      session.host.external.length = 0;
      session.cpu.setInterruptLine(false);
      session.cpu.raiseNmi();
      expectGuest(made, session);
    });
  });
}

function interruptsAtCounts(engine: Engine): void {
  test("R6.3 an interrupt raised between two runs is taken before the next instruction", () => {
    for (const at of [0, 1, 5, 17]) {
      const made = make((g) => {
        prologue(g.a);
        g.a.sti().nop();
        nops(g, 20);
        g.expectEvent({ vector: VECTOR, rip: `n${at}`, flagsSet: 0x200n });
        g.a.cli();
        g.exit();
      });
      withGuest(engine, made, (session) => {
        const start = BigInt(made.label(`n${at}`));
        for (let i = 0; i < 100 && session.cpu.readState().rip !== start; i++) session.run(1);
        session.host.raise(VECTOR);
        expectGuest(made, session);
        assert.deepEqual(session.host.acknowledged, [VECTOR]);
      });
    }
  });

  test("an acknowledge of -1 is no interrupt", () => {
    const made = make((g) => {
      prologue(g.a);
      g.a.sti().nop();
      nops(g, 5);
      g.a.cli();
      g.exit();
    });
    withGuest(engine, made, (session) => {
      let asked = 0;
      session.host.acknowledgeInterrupt = () => {
        asked++;
        session.cpu.setInterruptLine(false);
        return -1;
      };
      session.cpu.setInterruptLine(true);
      expectGuest(made, session);
      assert.equal(asked, 1);
    });
  });

  test("an interrupt is taken inside REP, which then goes on", () => {
    const made = make((g) => {
      prologue(g.a);
      g.a.sti().mov(edi, layout.DATA).mov(ecx, 100).mov(eax, 0x77).label("rep").rep().stos(8).cli();
      g.expectEvent({ vector: VECTOR, rip: "rep" });
      g.expect(ecx, 0, "all turns were done");
      g.expectAt(layout.DATA + 99, 2, 0x0077n, "and none too many");
      g.exit();
    });
    withGuest(engine, made, (session) => {
      const rep = BigInt(made.label("rep"));
      while (session.cpu.readState().rip !== rep) session.run(1);
      session.run(40);
      assert.equal(session.cpu.readState().gpr[1], 60n);
      session.host.raise(VECTOR);
      expectGuest(made, session);
    });
  });
}

/** A state with something in every field that a running CPU can have. */
function fullState(made: Guest): CpuState {
  const state = structuredClone(made.start);
  state.gpr = state.gpr.map((_, i) => 0x0101010101010101n * BigInt(i + 1));
  state.rflags = 0x246n | 0x40000n;
  state.cr2 = 0x123456789000n;
  state.fs.base = 0xffff_8000_0000_1000n;
  state.gs.base = 0x7000n;
  state.dr = [0x1000n, 0x2000n, 0x3000n, 0x4000n, 0n, 0n, 0xffff0ff0n, 0x400n];
  state.msrs = {
    0xc0000081: 0x0018000800000000n,
    0xc0000082: 0xffffffff81000000n,
    0xc0000102: 0x8000n,
    0x277: 0x0007040600070405n,
  };
  return state;
}

/** What a CPU keeps besides its registers: something in every field that a running CPU can have. */
const HIDDEN: readonly Partial<CpuState>[] = [
  { x87Selectors: { code: 0x10, data: 0x18 } },
  { ymmUpper: Uint8Array.from({ length: 256 }, (_, i) => i) },
  { nmiPending: true, nmiBlocked: true },
  { interruptShadow: "sti" },
  { interruptShadow: "ss", pendingDebug: 0b101 },
  { interruptTaken: true },
  { monitor: { address: layout.DATA, waiting: true, wakesOnMasked: true } },
  { monitor: { address: layout.DATA + 64, waiting: false, wakesOnMasked: false } },
  { shutdown: "a triple fault" },
];

function states(engine: Engine): void {
  test("R6.1 writeState and readState are inverse", () => {
    const made = make((g) => g.exit());
    withGuest(engine, made, ({ cpu }) => {
      const before = fullState(made);
      cpu.writeState(before);
      const after = cpu.readState();
      for (const [index, value] of Object.entries(before.msrs)) {
        assert.equal(after.msrs[Number(index)], value, `MSR 0x${Number(index).toString(16)}`);
      }
      // An engine may say more than it was told, but nothing else.
      const { msrs: _b, ...rest } = before;
      const { msrs: _a, fxsave, ...found } = after;
      assert.deepEqual({ ...found, ...rest }, found);
      if (fxsave) assert.equal(fxsave.length, 512);
      cpu.writeState(after);
      assert.deepEqual(cpu.readState(), after);
    });
  });

  test("R6.1 what a CPU keeps besides its registers is part of its state, plain data, and gone with the next state", () => {
    const made = make((g) => g.exit());
    withGuest(engine, made, ({ cpu }) => {
      const plain = structuredClone(cpu.readState());
      for (const hidden of HIDDEN) {
        cpu.writeState({ ...plain, ...hidden });
        const found = cpu.readState();
        assert.deepEqual({ ...found, ...hidden }, found);
        cpu.writeState(structuredClone(found));
        assert.deepEqual(cpu.readState(), found);
        cpu.writeState(plain);
        assert.deepEqual(cpu.readState(), plain);
      }
    });
  });

  test("R6.1 a state moved to another VM goes on there", () => {
    const made = busyGuest();
    withGuest(engine, made, (first) => {
      first.run(700);
      withGuest(engine, made, (second) => {
        second.memory.write(0, first.memory.read(0, layout.RAM_SIZE));
        second.cpu.writeState(first.cpu.readState());
        expectGuest(made, second);
      });
      expectGuest(made, first);
    });
  });

  test("INIT keeps the x87 and vector registers whole, and forgets what hardware hides", () => {
    const made = make((g) => g.exit());
    withGuest(engine, made, ({ cpu }) => {
      const kept: Partial<CpuState> = { ...HIDDEN[0], ...HIDDEN[1], xcr0: 7n };
      cpu.writeState({ ...cpu.readState(), ...kept, ...HIDDEN[2], ...HIDDEN[4], ...HIDDEN[6], ...HIDDEN[8] });
      cpu.init();
      const found = cpu.readState();
      assert.deepEqual({ ...found, ...kept }, found);
      for (const name of [
        "nmiPending",
        "nmiBlocked",
        "interruptShadow",
        "pendingDebug",
        "monitor",
        "shutdown",
      ])
        assert.ok(!(name in found), name);
    });
  });

  test("R3.4 INIT waits for a start-up IPI, which starts real mode at vector × 4096", () => {
    const made = make((g) => g.exit());
    withGuest(engine, made, ({ cpu, memory, host, run }) => {
      cpu.startup(0x33);
      assert.equal(cpu.readState().rip, made.start.rip, "ignored unless waiting");
      cpu.init();
      assert.equal(cpu.readState().waitForSipi, true);
      run(10);
      assert.equal(cpu.instructions, 0);
      memory.write(0x9000, Uint8Array.of(0xb0, 0x2a, 0xe6, layout.EXIT_PORT));
      cpu.startup(9);
      const started = cpu.readState();
      assert.equal(started.cs.selector, 0x900);
      assert.equal(started.cs.base, 0x9000n);
      assert.equal(started.rip, 0n);
      assert.equal(started.cr0 & 1n, 0n);
      run(10);
      assert.equal(host.exitCode, 0x2a);
    });
  });
}

function memories(engine: Engine): void {
  test("R6.1 bytes a device writes over code that has run are what runs next", () => {
    const made = make((g) => {
      g.a.label("again").mov(eax, 1).add(ebx, eax).jmp("again");
      g.exit();
    });
    withGuest(engine, made, ({ cpu, memory, run }) => {
      run(3000);
      assert.equal(cpu.readState().gpr[3], 1000n);
      memory.write(made.label("again") + 1, Uint8Array.of(5));
      run(3);
      assert.equal(cpu.readState().gpr[3], 1005n);
      memory.fill(made.label("again"), 5, 0x90);
      run(6);
      assert.equal(cpu.readState().gpr[3], 1010n);
    });
  });

  test("guest memory refuses addresses outside RAM", () => {
    const made = make((g) => g.exit());
    withGuest(engine, made, ({ memory }) => {
      assert.throws(() => memory.read(layout.RAM_SIZE, 1), RangeError);
      assert.throws(() => memory.write(layout.RAM_SIZE - 1, new Uint8Array(2)), RangeError);
      assert.throws(() => memory.fill(-1, 1, 0), RangeError);
      memory.fill(layout.RAM_SIZE - 4, 4, 0x5a);
      assert.deepEqual([...memory.read(layout.RAM_SIZE - 4, 4)], [0x5a, 0x5a, 0x5a, 0x5a]);
      assert.deepEqual(memory.ranges, [{ start: 0, size: layout.RAM_SIZE }]);
    });
  });

  test("two VMs do not see each other", () => {
    const made = make((g) => {
      g.a.mov(rax, 1).mov(rbx, 2);
      g.exit();
    });
    withGuest(engine, made, (one) =>
      withGuest(engine, made, (two) => {
        one.run(1);
        assert.equal(two.cpu.instructions, 0);
        one.memory.write(layout.DATA, Uint8Array.of(9));
        assert.equal(two.memory.read(layout.DATA, 1)[0], 0);
      }),
    );
  });
}

/** Declares the host-driven part of the suite. */
export function defineContractTests(engine: Engine, skip: string | false): void {
  describe(`conformance of the ${engine.name} engine: budgets and counts`, { skip }, () => budgets(engine));
  describe(`conformance of the ${engine.name} engine: stops and halts`, { skip }, () => stopping(engine));
  describe(`conformance of the ${engine.name} engine: interrupts from the host`, { skip }, () =>
    interruptsAtCounts(engine),
  );
  describe(`conformance of the ${engine.name} engine: state`, { skip }, () => states(engine));
  describe(`conformance of the ${engine.name} engine: memory`, { skip }, () => memories(engine));
}
