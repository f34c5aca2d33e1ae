/**
 * What a debugger asks of an engine: linear memory, breakpoints and watchpoints that the guest does not see; a kick from outside;
 * and that what an engine says of itself holds.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { kick, type Engine, type Exit } from "../../src/engine/contract.js";
import { FEATURE_BITS, type FeatureName } from "../../src/spec/cpuid.js";
import { DEFAULT_CPU_FEATURES, offeredFeatures } from "../../src/x86/cpu-features.js";
import { at, dword, eax, ebx, ecx, edi, esi, rax, rsp } from "../support/asm/index.js";
import { conformanceCpuid } from "./support/cpuid.js";
import { prologue } from "./support/environments.js";
import { guest, type Guest, type GuestBuilder } from "./support/guest.js";
import { TestHost } from "./support/host.js";
import * as layout from "./support/layout.js";
import { load, type Session } from "./support/on-engine.js";
import { P, RW, US } from "./support/page-tables.js";

const PAGE = 0x1000;
/** Two pages in a row that lie apart in memory, the second of them read-only; behind them nothing. */
const FAR = 0xffff_9000_0000_0000n;
const FIRST = layout.DATA;
const SECOND = layout.DATA + 4 * PAGE;
const MANY = 1_000_000;
const VECTOR = 0x40;
const TURNS = 3000;

const make = (write: (g: GuestBuilder) => void): Guest =>
  guest("debug", { cites: "src/engine/contract.ts" }, (g) => {
    prologue(g.a);
    write(g);
    g.exit();
  });

function withGuest(engine: Engine, made: Guest, drive: (session: Session) => void): void {
  const session = load(engine, made);
  try {
    drive(session);
  } finally {
    session.vm.dispose();
  }
}

function linear(engine: Engine): void {
  const mapped = make((g) => {
    g.tables.map(FAR, FIRST, P | RW);
    g.tables.map(FAR + 0x1000n, SECOND, P | US);
    g.tables.map(FAR + 0x3000n, 0xe000_0000, P | RW);
    g.a.mov(rax, FAR).jmp("go").label("go").mov(ebx, 1);
  });

  test("a linear address leads where the tables say, with the rights of all levels, and nothing is marked", () =>
    withGuest(engine, mapped, ({ cpu, memory }) => {
      const before = memory.read(0, layout.RAM_SIZE);
      assert.deepEqual(cpu.translate!(FAR + 5n), {
        physical: FIRST + 5,
        writable: true,
        user: false,
        executable: true,
      });
      assert.equal(cpu.translate!(FAR + 0x1fffn)?.physical, SECOND + 0xfff);
      assert.equal(cpu.translate!(FAR + 0x1000n)?.writable, false);
      assert.equal(cpu.translate!(BigInt(layout.CODE))?.physical, layout.CODE, "a large page");
      assert.equal(cpu.translate!(FAR + 0x2000n), undefined);
      assert.equal(cpu.translate!(0x8000_0000_0000n), undefined, "no canonical address");
      assert.equal(cpu.translate!(FAR + 0x3000n)?.physical, 0xe000_0000, "a device");
      assert.deepEqual(Buffer.compare(memory.read(0, layout.RAM_SIZE), before), 0);
    }));

  test("linear memory is read and written across pages, whatever its rights; what is not all RAM is not", () =>
    withGuest(engine, mapped, ({ cpu, memory }) => {
      assert.ok(cpu.writeLinear!(FAR + 0xffen, Uint8Array.of(1, 2, 3, 4)));
      assert.deepEqual([...memory.read(FIRST + 0xffe, 2), ...memory.read(SECOND, 2)], [1, 2, 3, 4]);
      assert.deepEqual([...cpu.readLinear!(FAR + 0xffdn, 6)!], [0, 1, 2, 3, 4, 0]);
      assert.equal(cpu.readLinear!(FAR + 0x1ffen, 3), undefined);
      assert.equal(cpu.writeLinear!(FAR + 0x1ffen, Uint8Array.of(9, 9, 9)), false);
      assert.equal(memory.readU8(SECOND + 0xfff), 0, "nothing was written");
      assert.equal(cpu.readLinear!(FAR + 0x3000n, 1), undefined, "a device is not asked");
    }));

  test("what is written to linear memory is what runs next", () =>
    withGuest(engine, mapped, (session) => {
      const { cpu, run, host } = session;
      const place = BigInt(mapped.label("go"));
      cpu.setBreakpoints!([place]);
      assert.equal(run(MANY).reason, "breakpoint");
      cpu.setBreakpoints!([]);
      assert.ok(cpu.writeLinear!(place + 1n, Uint8Array.of(7)));
      for (let i = 0; i < 1; i++) run(1);
      assert.equal(cpu.readState().gpr[3], 7n);
      run(MANY);
      assert.equal(host.exitCode, 0);
    }));

  test("without paging a linear address is the physical one", () => {
    const real = guest("debug", { cites: "SDM vol. 3A §3", mode: 16 }, (g) => g.exit());
    withGuest(engine, real, ({ cpu }) => assert.equal(cpu.translate!(0x1234n)?.physical, 0x1234));
  });
}

/** Calls a function in another page, which writes, TURNS times. */
const calling = make(({ a }) => {
  a.mov(ecx, TURNS)
    .label("again")
    .call("far")
    .label("behind")
    .loop("again")
    .mov(edi, layout.DATA + PAGE)
    .mov(ecx, 40)
    .label("rep")
    .rep()
    .stos(8)
    .jmp("end")
    .align(PAGE)
    .label("far")
    .mov(dword(layout.DATA), ecx)
    .label("inner")
    .add(eax, dword(layout.DATA + 8))
    .ret()
    .align(PAGE)
    .label("end");
});

/** Runs to the end and gives the exits that are not the budget's. */
function exitsOf(session: Session, slice = MANY): Exit[] {
  const exits: Exit[] = [];
  while (session.host.exitCode === undefined) {
    const exit = session.run(slice);
    if (exit.reason !== "budget" && exit.reason !== "stop") exits.push(exit);
    assert.ok(
      exits.length < 2 * TURNS,
      JSON.stringify(exits.slice(-2), (_key, v: unknown) => String(v)),
    );
  }
  return exits;
}

/** State and count of the guest's end when nobody debugs it. */
function undisturbed(engine: Engine, made: Guest): { instructions: number; dr: bigint[]; gpr: bigint[] } {
  const session = load(engine, made);
  exitsOf(session);
  const { dr, gpr } = session.cpu.readState();
  session.vm.dispose();
  return { instructions: session.cpu.instructions, dr, gpr };
}

function breakpoints(engine: Engine): void {
  for (const [label, hits] of [
    ["far", TURNS],
    ["inner", TURNS],
    ["behind", TURNS],
    ["rep", 1],
    ["end", 1],
  ] as const)
    test(`a breakpoint at "${label}" stops ${hits} times, and the guest comes to the same end`, () => {
      const expected = undisturbed(engine, calling);
      for (const warm of [0, TURNS])
        withGuest(engine, calling, (session) => {
          const { cpu } = session;
          const place = BigInt(calling.label(label));
          session.run(warm);
          const passed = Number(session.memory.readU32(layout.DATA));
          cpu.setBreakpoints!([place]);
          const exits = exitsOf(session);
          for (const exit of exits) assert.deepEqual(exit, { reason: "breakpoint", linear: place });
          if (warm === 0) assert.equal(exits.length, hits);
          else assert.ok(exits.length <= hits && exits.length >= Math.min(hits, passed - 1));
          const { dr, gpr } = cpu.readState();
          assert.deepEqual({ instructions: cpu.instructions, dr, gpr }, expected);
        });
    });

  test("at a breakpoint the instruction has not run, and the next run executes it", () =>
    withGuest(engine, calling, (session) => {
      const { cpu, run } = session;
      const place = BigInt(calling.label("far"));
      cpu.setBreakpoints!([place]);
      assert.deepEqual(run(MANY), { reason: "breakpoint", linear: place });
      const { instructions } = cpu;
      assert.equal(cpu.readState().rip, place);
      assert.equal(session.memory.readU32(layout.DATA), 0);
      assert.deepEqual(run(1), { reason: "budget" });
      assert.equal(cpu.instructions, instructions + 1);
      assert.equal(session.memory.readU32(layout.DATA), TURNS);
      cpu.writeState({ ...cpu.readState(), rip: place });
      assert.deepEqual(run(5), { reason: "breakpoint", linear: place }, "come to by a written state");
      cpu.setBreakpoints!([]);
      assert.equal(run(100).reason, "budget");
    }));

  test("an interrupt that came while a breakpoint held the guest waits for that instruction", () => {
    const made = make((g) => {
      g.a.sti().nop().label("here").mov(ebx, 1).label("next").nop().cli();
      g.expectEvent({ vector: VECTOR, rip: "next" });
    });
    withGuest(engine, made, (session) => {
      session.cpu.setBreakpoints!([BigInt(made.label("here"))]);
      assert.equal(session.run(MANY).reason, "breakpoint");
      session.host.raise(VECTOR);
      assert.equal(session.run(1).reason, "budget");
      assert.equal(session.cpu.readState().gpr[3] & 0xffn, 1n);
      assert.deepEqual(exitsOf(session), []);
      assert.deepEqual(session.host.acknowledged, [VECTOR]);
    });
  });
}

function watchpoints(engine: Engine): void {
  const place = BigInt(layout.DATA);
  for (const warm of [0, TURNS])
    test(`a watchpoint stops behind each write, after ${warm} instructions without one`, () => {
      const expected = undisturbed(engine, calling);
      withGuest(engine, calling, (session) => {
        const { cpu, memory } = session;
        session.run(warm);
        cpu.setWatchpoints!([{ linear: place + 1n, length: 2, reads: false }]);
        const exit = session.run(MANY);
        assert.deepEqual(exit, { reason: "watchpoint", linear: place + 1n, length: 4, access: "write" });
        assert.equal(cpu.readState().rip, BigInt(calling.label("inner")));
        const left = memory.readU32(layout.DATA);
        assert.equal(exitsOf(session).length, left - 1);
        const { dr, gpr } = cpu.readState();
        assert.deepEqual({ instructions: cpu.instructions, dr, gpr }, expected);
      });
    });

  test("reads are seen if they are asked for; accesses beside the bytes are not; none left, none seen", () =>
    withGuest(engine, calling, (session) => {
      const { cpu } = session;
      cpu.setWatchpoints!([{ linear: place + 8n, length: 4, reads: true }]);
      assert.deepEqual(session.run(MANY), {
        reason: "watchpoint",
        linear: place + 8n,
        length: 4,
        access: "read",
      });
      cpu.setWatchpoints!([
        { linear: place + 8n, length: 4, reads: false },
        { linear: place + 12n, length: 4, reads: true },
      ]);
      assert.deepEqual(exitsOf(session), []);
    }));

  test("strings, pushes and events are seen; a range over two pages is refused", () => {
    const made = make((g) => {
      const { a } = g;
      a.mov(edi, layout.DATA).mov(esi, layout.DATA + PAGE);
      a.mov(ecx, 32)
        .rep()
        .stos(8)
        .mov(rsp, layout.DATA + 2 * PAGE)
        .push(rax);
      g.fault({ vector: 6 }, () => a.ud2());
      a.mov(eax, dword(at(rsp)));
    });
    withGuest(engine, made, (session) => {
      const { cpu } = session;
      cpu.setWatchpoints!([
        { linear: place + 16n, length: 1, reads: false },
        { linear: BigInt(layout.DATA + 2 * PAGE - 8), length: 8, reads: false },
      ]);
      assert.deepEqual(session.run(MANY), {
        reason: "watchpoint",
        linear: place + 16n,
        length: 1,
        access: "write",
      });
      assert.equal(cpu.readState().gpr[1], 15n, "in the middle of the string");
      assert.equal(session.run(MANY).reason, "watchpoint", "the push");
      for (const wrong of [
        { linear: place + 0xfffn, length: 2, reads: true },
        { linear: place, length: 0, reads: true },
      ])
        assert.throws(() => cpu.setWatchpoints!([wrong]), RangeError);
    });
  });
}

function kicks(engine: Engine): void {
  const endless = make(({ a }) => a.label("again").inc(eax).jmp("again"));

  test("a kick ends the next run at once, and one run only", () =>
    withGuest(engine, endless, ({ vm, run, cpu }) => {
      kick(vm.kickWord!);
      kick(vm.kickWord!);
      assert.deepEqual(run(MANY), { reason: "kick" });
      assert.equal(cpu.instructions, 0);
      assert.deepEqual(run(MANY), { reason: "budget" });
    }));

  test("a kick from another thread ends a run in progress", async () => {
    const session = load(engine, endless);
    const { buffer } = session.vm.kickWord!;
    const code = `const { workerData, parentPort } = require("node:worker_threads");
      const word = new Int32Array(workerData);
      parentPort.postMessage("ready");
      setTimeout(() => Atomics.store(word, 0, 1), 50);`;
    const worker = new Worker(code, { eval: true, workerData: buffer });
    await new Promise((resolve) => worker.once("message", resolve));
    assert.deepEqual(session.run(Number.MAX_SAFE_INTEGER), { reason: "kick" });
    await worker.terminate();
    session.vm.dispose();
  });
}

function promises(engine: Engine): void {
  test("R2.2 the engine offers what the default plan announces, and what it lacks is named", () => {
    const { capabilities } = engine;
    assert.deepEqual(offeredFeatures(capabilities, DEFAULT_CPU_FEATURES), {
      features: DEFAULT_CPU_FEATURES,
      lacking: [],
    });
    const names = Object.keys(FEATURE_BITS) as FeatureName[];
    const all = Object.fromEntries(names.map((name) => [name, true])) as Record<FeatureName, boolean>;
    const { features, lacking } = offeredFeatures(capabilities, all);
    assert.deepEqual(features, capabilities.cpuFeatures);
    assert.deepEqual(
      lacking,
      names.filter((name) => !capabilities.cpuFeatures[name]),
    );
  });

  test("R2.2 as many CPUs as the engine says can be made", () => {
    const { maxCpus } = engine.capabilities;
    const ranges = [{ start: 0, size: layout.RAM_SIZE }];
    const vm = engine.createVm({ ranges, cpus: maxCpus }, new TestHost());
    for (let id = 0; id < maxCpus; id++) vm.createCpu(id, conformanceCpuid());
    assert.throws(() => vm.createCpu(maxCpus, conformanceCpuid()), RangeError);
    vm.dispose();
    assert.throws(() => engine.createVm({ ranges, cpus: maxCpus + 1 }, new TestHost()), {
      name: "EngineLimit",
    });
  });
}

/** Declares the part of the suite that concerns debuggers and what an engine says of itself. */
export function defineDebugTests(engine: Engine, skip: string | false): void {
  const { debugging, kick: kickable } = engine.capabilities;
  const title = (what: string): string => `conformance of the ${engine.name} engine: ${what}`;
  const without = (has: boolean, name: string): string | false =>
    skip || (!has && `capabilities.${name} is false`);
  describe(title("linear memory"), { skip: without(debugging, "debugging") }, () => linear(engine));
  describe(title("breakpoints"), { skip: without(debugging, "debugging") }, () => breakpoints(engine));
  describe(title("watchpoints"), { skip: without(debugging, "debugging") }, () => watchpoints(engine));
  describe(title("kicks"), { skip: without(kickable, "kick") }, () => kicks(engine));
  describe(title("capabilities"), { skip }, () => promises(engine));
}
