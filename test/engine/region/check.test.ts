/** Check mode: regions are held to the interpreter while they run, and a wrong one ends the machine with a report. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Exit } from "../../../src/engine/contract.js";
import { makeValue, type IrFunction, type Statement, type Value } from "../../../src/engine/ir/ir.js";
import { MAKE_WORDS } from "../../../src/engine/region/flag-code.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import * as layout from "../../../src/engine/x86/layout.js";
import { bareGuest, CODE, silentHost } from "../../isolation/bare-guest.js";
import { dword, eax, ebx, ecx, edi, edx, esi, type Assembler } from "../../support/asm/index.js";

const DATA = 0x20000;
const TURNS = 300;
/** Instructions that check mode covers at least. */
const MOST_OF_THEM = 150;
const HANDLER = 0x8000;
const BUDGET = 20_000;
/** Of the function that makes the words of flags. */
const RESULT_ARGUMENT = 4;

/** Stores, loads, adds, compares and calls in a loop. */
function program(a: Assembler): void {
  a.mov(edi, DATA).mov(ecx, TURNS).mov(eax, 1).mov(ebx, 0);
  a.label("again");
  a.lea(eax, dword({ base: eax, index: eax, scale: 2, disp: 7 }));
  a.mov(dword(edi), eax).add(ebx, dword(edi));
  a.push(ebx).mov(esi, ecx).and(esi, 0xff).pop(edx);
  a.mov(dword({ base: edi, index: esi, scale: 4, disp: 64 }), edx);
  a.cmp(ebx, 0x1000).jcc("b", "small");
  a.shr(ebx, 1);
  a.label("small");
  a.dec(ecx).jcc("ne", "again");
  a.hlt();
}

interface Run {
  exit: Exit;
  counters: Record<string, number>;
}

function run(rewriteRegion?: (code: IrFunction) => void): Run {
  const engine = createWasmEngine({ jit: "check", eager: true, ...(rewriteRegion && { rewriteRegion }) });
  const { vm, cpu } = bareGuest(program, { all: HANDLER }, silentHost(), undefined, engine);
  try {
    return { exit: cpu.run(BUDGET), counters: vm.counters() };
  } finally {
    vm.dispose();
  }
}

function each(list: Statement[], visit: (s: Statement, list: Statement[], at: number) => void): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const s = list[i];
    if (s.kind === "if") for (const arm of [s.then, s.else]) each(arm, visit);
    else if (s.kind === "loop" || s.kind === "block") each(s.body, visit);
    visit(s, list, i);
  }
}

/** Whether a store goes to the CPU area. */
function isState(s: Statement): boolean {
  return s.kind === "store" && s.address.op === "parameter";
}

/** Applies `change` to the statements that it answers true for. */
function fault(change: (s: Statement, list: Statement[], at: number) => boolean): {
  rewrite: (code: IrFunction) => void;
  planted: () => number;
} {
  let planted = 0;
  const rewrite = (code: IrFunction): void =>
    each(code.body, (s, list, at) => {
      if (change(s, list, at)) planted++;
    });
  return { rewrite, planted: () => planted };
}

/** A wrong region, and what the report must name. */
const FAULTS: Record<string, { change: Parameters<typeof fault>[0]; names: RegExp }> = {
  "a store that is left out": {
    change: (s, list, at) => {
      if (s.kind !== "store" || isState(s)) return false;
      list.splice(at, 1);
      return true;
    },
    names: /byte at RAM offset 0x2\w{4}: interpreted/,
  },
  "a store to the wrong place": {
    change: (s) => {
      if (s.kind !== "store" || isState(s)) return false;
      s.offset += 2;
      return true;
    },
    names: /byte at RAM offset 0x/,
  },
  "a result with a wrong bit": {
    change: (s) => {
      if (s.kind !== "set" || s.variable.name !== "rax" || s.value.op !== "i64.extend_i32_u") return false;
      s.value = makeValue("i64", "i64.xor", [s.value, constant(4n)]);
      return true;
    },
    names: /rax: interpreted/,
  },
  "a register that is not written back": {
    change: (s, list, at) => {
      if (s.kind !== "store" || !isState(s) || s.offset !== layout.GPR + 3 * 8) return false;
      list.splice(at, 1);
      return true;
    },
    names: /rbx: interpreted/,
  },
  "flags that are another result's": {
    change: (s) => {
      if (s.kind === "call" && s.callee === MAKE_WORDS) {
        s.args = s.args.map((arg, i) => (i === RESULT_ARGUMENT ? constant(77n) : arg));
        return true;
      }
      if (s.kind !== "store" || s.offset !== layout.FLAG_RESULT || !isState(s)) return false;
      s.value = constant(77n);
      return true;
    },
    names: /rflags: interpreted/,
  },
  "a count that is one too many": {
    change: (s) => {
      if (s.kind !== "store" || s.offset !== layout.LEFT || !isState(s)) return false;
      const one = makeValue("i32", "const", [], 1);
      s.value = makeValue("i32", "i32.sub", [s.value, one]);
      return true;
    },
    names: /rip: interpreted/,
  },
};

function constant(value: bigint): Value {
  return makeValue("i64", "const", [], value);
}

test("R3.10 check mode: what regions do is what the interpreter does, and a run counts the same", () => {
  const { exit, counters } = run();
  assert.deepEqual(exit, { reason: "halt", interruptible: false });
  assert.ok(counters["regionsChecked"] >= 1 && counters["regionChecks"] > counters["regionsChecked"]);
  assert.ok(counters["instructionsChecked"] > MOST_OF_THEM, JSON.stringify(counters));
});

for (const [name, { change, names }] of Object.entries(FAULTS)) {
  test(`R3.10 check mode catches ${name}`, () => {
    const { rewrite, planted } = fault(change);
    const { exit } = run(rewrite);
    assert.ok(planted() > 0, "the fault was planted");
    assert.equal(exit.reason, "error");
    const detail = exit.reason === "error" ? exit.detail : "";
    assert.match(detail, names);
    assert.match(detail, new RegExp(`entered at 0x${CODE.toString(16).slice(0, -2)}\\w\\w,`), "where");
    assert.match(detail, /lea eax, .*\[eax\+eax\*2\+0x7\]/, "its instructions");
    assert.match(detail, /LOCORE_JIT_DUMP/);
  });
}
