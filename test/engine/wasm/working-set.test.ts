/**
 * What a machine needed first, handed to another one that begins with the same RAM (R1.10, R3.10): it runs as it would without, decodes
 * nothing that it was handed, and takes nothing that is no longer so.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, FoundWorkingSet, PageSource, WorkingSet } from "../../../src/engine/contract.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { WasmEngine } from "../../../src/engine/wasm/vm.js";
import { conformanceCpuid } from "../../conformance/support/cpuid.js";
import { allGuests } from "../../conformance/guests.js";
import { guest, type Ending, type Guest } from "../../conformance/support/guest.js";
import { addressOf, rax } from "../../support/asm/index.js";
import { TestHost } from "../../conformance/support/host.js";
import * as layout from "../../conformance/support/layout.js";
import { finish, type Session } from "../../conformance/support/on-engine.js";

const PAGE = 0x1000;
const MOST = 1 << 24;
const SPARE = 8;
const RAM = [{ start: 0, size: layout.RAM_SIZE }];

/** All of RAM, as a guest begins with it. */
function contentsOf({ chunks }: Guest): Uint8Array {
  const ram = new Uint8Array(layout.RAM_SIZE);
  for (const { address, bytes } of chunks) ram.set(bytes, address);
  return ram;
}

/** Pages that are not all zeros, and some that nobody needs, in blocks of four; `asked` are those that were read. */
function sourceOf(ram: Uint8Array): PageSource & { asked: number[] } {
  const asked: number[] = [];
  const blockPages = 4;
  const zeros = new Uint8Array(PAGE);
  const pages = Array.from({ length: ram.length / PAGE }, (_, page) => page).filter(
    (page, _, { length }) =>
      page >= length - SPARE || Buffer.compare(zeros, ram.subarray(page * PAGE, (page + 1) * PAGE)) !== 0,
  );
  const read = (block: number, into: Uint8Array): void => {
    asked.push(block);
    const own = pages.slice(block * blockPages, (block + 1) * blockPages);
    own.forEach((page, i) => into.set(ram.subarray(page * PAGE, (page + 1) * PAGE), i * PAGE));
  };
  return { runs: pages.map((first) => ({ first, count: 1 })), blockPages, read, asked };
}

/** A set that was found, to be read. */
function readable({ pages, code, contents }: FoundWorkingSet): WorkingSet {
  const all = Buffer.concat(contents);
  const read = (into: readonly Uint8Array[]): boolean => {
    let at = 0;
    for (const piece of into) {
      piece.set(all.subarray(at, at + piece.length));
      at += piece.length;
    }
    return at === all.length;
  };
  return { pages, code: code.slice(), read };
}

interface Run {
  ending: Ending | { kind: "other"; detail: string };
  instructions: number;
  state: unknown;
  ram: Uint8Array;
  decoded: number;
  asked: number[];
  found: FoundWorkingSet | undefined;
}

function loadLater(engine: Engine, one: Guest, set: WorkingSet | undefined): Session & { asked: number[] } {
  const host = new TestHost();
  const vm = engine.createVm({ ranges: RAM, cpus: 2 }, host);
  const cpu = vm.createCpu(0, conformanceCpuid(one.features));
  host.cpu = cpu;
  const source = sourceOf(contentsOf(one));
  vm.memory.fetchLater!(source);
  if (set !== undefined) assert.equal(vm.bringWorkingSet!(set), true);
  cpu.writeState(one.start);
  const run = (budget: number): ReturnType<typeof cpu.run> => {
    host.instructionsBefore = cpu.instructions;
    return cpu.run(budget);
  };
  return { vm, cpu, memory: vm.memory, host, run, asked: source.asked };
}

function runGuest(engine: Engine, one: Guest, set?: WorkingSet): Run {
  const session = loadLater(engine, one, set);
  const { cpu, vm, asked } = session;
  const { ending } = finish(session);
  const decoded = vm.counters()["decodedInstructions"];
  const needed = [...asked];
  const found = vm.workingSet!(MOST);
  const ram = vm.memory.view(0, layout.RAM_SIZE)!;
  const result = {
    ending,
    instructions: cpu.instructions,
    state: cpu.readState(),
    ram,
    decoded,
    asked: needed,
    found,
  };
  vm.dispose();
  return result;
}

/** Every so many guests, so that every group has some: all of them take nine times as long. */
const SAMPLE = 9;

test("R3.10 working set: conformance guests run the same with what another run of theirs needed, interpreted and compiled", () => {
  const guests = allGuests().flatMap(({ guests: own }) => own.filter((_, i) => i % SAMPLE === 0));
  let [without, within] = [0, 0];
  for (const one of guests) {
    const first = runGuest(new WasmEngine({ jit: "off" }), one);
    assert.ok(first.found, one.name);
    for (const engine of [new WasmEngine({ jit: "off" }), createWasmEngine()]) {
      const again = runGuest(engine, one, readable(first.found));
      for (const what of ["ending", "instructions", "state"] as const)
        assert.deepEqual(again[what], first[what], `${one.name}: ${what}`);
      assert.equal(Buffer.compare(again.ram, first.ram), 0, one.name);
      assert.equal(again.found, undefined, "nothing was needed that was not foreseen");
      without += first.decoded;
      within += again.decoded;
    }
  }
  assert.ok(guests.length > 40, `${guests.length} guests`);
  // What remains is code that changed.
  assert.ok(within < without / 10, `${within} of ${without} instructions were decoded again`);
});

/** Writes over the code of a function that it called before, and calls it again; counts what it gives in RBX. */
const CHANGES = guest("changes its code", { cites: "SDM vol. 3A §9.1.3" }, (g) => {
  g.a.db(0xbb, 0, 0, 0, 0).call("value").label("change");
  // MOV BYTE [value + 1], 7
  g.a.mov(rax, addressOf("value")).db(0xc6, 0x40, 0x01, 7).call("value");
  g.exit();
  g.a.label("value").db(0xb8, 1, 0, 0, 0).db(0x01, 0xc3).db(0xc3);
});

test("R3.10 working set: code that changed since is decoded again, and is not in the set of a run that changed it", () => {
  const first = runGuest(new WasmEngine({ jit: "off" }), CHANGES);
  const again = runGuest(new WasmEngine({ jit: "off" }), CHANGES, readable(first.found!));
  assert.equal((first.state as { rbx?: bigint; gpr?: bigint[] }).gpr?.[3], 8n);
  assert.deepEqual(again.state, first.state);
  assert.ok(again.decoded > 0);
});

test("R3.10 working set: pages that were not foreseen are fetched without touching those that are there; half as many again make a new set", () => {
  const engine = new WasmEngine({ jit: "off" });
  const ram = new Uint8Array(layout.RAM_SIZE).map((_, i) => 1 + ((i / PAGE) & 0x7f));
  const machine = (set?: WorkingSet): { vm: ReturnType<Engine["createVm"]>; asked: number[] } => {
    const vm = engine.createVm({ ranges: RAM }, new TestHost());
    const source = sourceOf(ram);
    vm.memory.fetchLater!(source);
    if (set) assert.equal(vm.bringWorkingSet!(set), true);
    return { vm, asked: source.asked };
  };
  const one = machine();
  one.vm.memory.readU8(5 * PAGE);
  one.vm.memory.readU8(9 * PAGE);
  const found = one.vm.workingSet!(MOST)!;
  assert.deepEqual([...found.pages], [5, 9]);

  const { vm, asked } = machine(readable(found));
  assert.equal(vm.memory.readU8(5 * PAGE), 6);
  vm.memory.writeU8(5 * PAGE, 99);
  assert.deepEqual(asked, []);
  assert.equal(vm.memory.readU8(4 * PAGE), 5);
  assert.deepEqual(asked, [1]);
  assert.deepEqual([vm.memory.readU8(5 * PAGE), vm.memory.readU8(6 * PAGE)], [99, 7]);
  assert.deepEqual(asked, [1]);
  assert.equal(vm.workingSet!(MOST), undefined);
  vm.memory.readU8(7 * PAGE);
  const [larger] = [vm.workingSet!(MOST)!];
  assert.deepEqual([...larger.pages], [4, 5, 6, 7, 9]);
  assert.deepEqual([...vm.workingSet!(5 * PAGE)!.pages], [4, 5, 6, 7, 9]);
  assert.equal(vm.workingSet!(4 * PAGE), undefined);
  // As they were fetched, not as they are now.
  assert.deepEqual([larger.contents.at(-1)![PAGE], larger.contents.at(-1)!.length], [6, 5 * PAGE]);
});

test("R3.10 working set: what cannot be, or cannot be read, is refused, and every page is fetched as without it", () => {
  const engine = new WasmEngine({ jit: "off" });
  const first = runGuest(engine, CHANGES);
  const good = readable(first.found!);
  const bad: WorkingSet[] = [
    { ...good, pages: Uint32Array.of(2, 1) },
    { ...good, pages: Uint32Array.of(layout.RAM_SIZE / PAGE) },
    { ...good, code: good.code.subarray(0, 8) },
    { ...good, code: new Uint8Array(good.code.length) },
    {
      ...good,
      read: (into) => {
        for (const piece of into) piece.fill(0xcc);
        return false;
      },
    },
  ];
  for (const [i, set] of bad.entries()) {
    const vm = engine.createVm({ ranges: RAM, cpus: 2 }, new TestHost());
    vm.memory.fetchLater!(sourceOf(contentsOf(CHANGES)));
    assert.equal(vm.bringWorkingSet!(set), false, `set ${i}`);
    assert.equal(Buffer.compare(vm.memory.read(0, layout.RAM_SIZE), contentsOf(CHANGES)), 0, `set ${i}`);
    vm.dispose();
  }
});
