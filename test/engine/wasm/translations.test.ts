/** Remembered translations as plain data: they go along with a state, and nothing that they hold can harm. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Translations } from "../../../src/engine/contract.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { prologue } from "../../conformance/support/environments.js";
import { guest } from "../../conformance/support/guest.js";
import * as layout from "../../conformance/support/layout.js";
import { load, type Session } from "../../conformance/support/on-engine.js";
import { P, RW } from "../../conformance/support/page-tables.js";
import { dword, eax, ebx } from "../../support/asm/index.js";

/** Where the guest reads, a page that it has never read, and what it finds there by the old and by the new entry. */
const LINEAR = 0x5000_0000;
const OLD = layout.DATA;
const NEW = layout.DATA + 0x1000;

/** A guest that has read LINEAR and is about to read it again, after its page-table entry came to lead elsewhere. */
function changed(): Session {
  const made = guest("translations", { cites: "SDM vol. 3A §4.10.2" }, (g) => {
    g.tables.map(LINEAR, OLD, P | RW);
    prologue(g.a);
    g.a.mov(eax, dword(LINEAR)).label("again").mov(ebx, dword(LINEAR));
    g.exit();
  });
  const session = load(createWasmEngine({ jit: "off" }), made);
  session.memory.writeU32(OLD, 1);
  session.memory.writeU32(NEW, 2);
  while (session.cpu.readState().rip !== BigInt(made.label("again"))) session.run(1);
  const { physical } = entryOf(session);
  session.memory.writeU32(physical, (session.memory.readU32(physical) & 0xfff) | NEW);
  return session;
}

/** Guest-physical address of the page-table entry for LINEAR: the one that names OLD. */
function entryOf({ memory, cpu }: Session): { physical: number } {
  let table = Number(cpu.readState().cr3);
  for (let level = 3; ; level--) {
    const physical = table + (Math.floor(LINEAR / 2 ** (12 + 9 * level)) & 511) * 8;
    if (level === 0) return { physical };
    table = memory.readU32(physical) & ~0xfff;
  }
}

const EMPTY: Translations = { data: [], code: [], large: [], gigabytes: 0 };

test("R6.1 a machine that moves with its translations reads what it would have read; without, what the tables say", () => {
  for (const [taken, expected] of [
    [true, 1n],
    [false, 2n],
  ] as const) {
    const from = changed();
    const to = changed();
    const [state, translations] = structuredClone([from.cpu.readState(), from.cpu.readTranslations!()]);
    to.cpu.writeState(state);
    if (taken) to.cpu.writeTranslations!(translations);
    to.run(1);
    assert.equal(to.cpu.readState().gpr[3], expected);
    from.run(1);
    assert.equal(from.cpu.readState().gpr[3], 1n);
    from.vm.dispose();
    to.vm.dispose();
  }
});

test("R6.1 translations that are read back are those that were written", () => {
  const session = changed();
  const before = session.cpu.readTranslations!();
  assert.ok(before.data.length > 0 && before.code.length > 0);
  session.cpu.writeState(session.cpu.readState());
  assert.deepEqual(session.cpu.readTranslations!(), EMPTY);
  session.cpu.writeTranslations!(before);
  assert.deepEqual(session.cpu.readTranslations!(), before);
  session.vm.dispose();
});

test("isolation: translations that no CPU remembers are refused, and none leads out of guest memory", () => {
  const { cpu, vm, run } = changed();
  const wrong: Translations[] = [
    { ...EMPTY, data: [1, 2, 3] },
    { ...EMPTY, data: [2 ** 40, 0, 0, 0] },
    { ...EMPTY, data: [0.5, 0, 0, 0] },
    { ...EMPTY, data: [0, 3, 0, 0] },
    { ...EMPTY, data: [0, 0, -1, 0] },
    { ...EMPTY, data: [0, 0, 2 ** 32, 0] },
    { ...EMPTY, code: [0, 2, 0, 0] },
    { ...EMPTY, code: [0, 0, NaN, 0] },
    { ...EMPTY, large: [-1] },
    { ...EMPTY, large: [2 ** 20] },
    { ...EMPTY, gigabytes: 2 ** 32 },
  ];
  for (const one of wrong) assert.throws(() => cpu.writeTranslations!(one), RangeError, JSON.stringify(one));
  const page = LINEAR / 0x1000;
  for (const mode of [0, 1, 2]) {
    cpu.writeTranslations!({
      ...EMPTY,
      data: [page, mode, 0xfffffff, 0xffffffff],
      code: [page, 1, 0xfffffff, 9],
    });
  }
  assert.equal(run(1).reason, "budget");
  vm.dispose();
});
