/** R3.11 with R6.3: a deterministic machine is the same run whoever looks at it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GdbClient, smallMachine } from "../../support/gdb-client.js";
import { COUNTER, debuggedGuest, SPINS, TICKS } from "../../support/gdb-guest.js";
import { Random } from "../../support/random.js";

const ROUNDS = 100_000;
const GUEST = debuggedGuest(ROUNDS);
const PLACES = [GUEST.at.work, GUEST.at.tick, GUEST.at.timer, GUEST.at.rest, GUEST.at.again];
const WATCHED = [TICKS, COUNTER, SPINS];
const VISITS = 60;
const MOST_INSTRUCTIONS = 20_000;

interface Outcome {
  instructions: number;
  clockNs: number;
  words: number[];
}

async function outcome(jit: "off" | "eager", debug?: (gdb: GdbClient) => void): Promise<Outcome> {
  const machine = await smallMachine(GUEST.bytes, { deterministic: true, jit });
  const gdb = new GdbClient(machine);
  debug?.(gdb);
  while (machine.end === undefined) gdb.step();
  assert.equal(machine.end.route, "debug-exit", machine.end.reason);
  const { instructions, clockNs } = machine.stats();
  const words = WATCHED.map((address) => machine.memory.readU32(address));
  machine.dispose();
  return { instructions, clockNs, words };
}

/** A gdb comes, does something, and goes, again and again. */
function visit(gdb: GdbClient, random: Random): void {
  const limit = 1 + random.below(MOST_INSTRUCTIONS);
  gdb.step(limit);
  gdb.attach();
  if (gdb.machine.end !== undefined) return;
  const place = random.pick(PLACES).toString(16);
  const watched = random.pick(WATCHED).toString(16);
  if (random.below(2) === 0) {
    gdb.ask(`Z0,${place},1`);
    for (let i = random.below(4); i >= 0; i--) {
      gdb.go("vCont;c");
      // As gdb passes a breakpoint: without it, this CPU alone.
      gdb.ask(`z0,${place},1`);
      const cpu = /thread:(\d)/.exec(gdb.ask("?"))?.[1] ?? "1";
      gdb.go(`vCont;s:${cpu}`);
      gdb.ask(`Z0,${place},1`);
    }
  } else {
    gdb.ask(`Z4,${watched},4`);
    gdb.go("vCont;c");
  }
  for (let i = random.below(30); i > 0; i--) gdb.go(`vCont;s:${1 + random.below(2)};c`);
  gdb.ask("g");
  gdb.ask("D");
}

for (const jit of ["off", "eager"] as const)
  test(`R3.11 R6.3 attach, breakpoints, watchpoints, steps and detach change no count of a deterministic run (--jit ${jit})`, async () => {
    const alone = await outcome(jit);
    assert.equal(alone.words[1], ROUNDS);
    assert.ok(alone.words[0] > 5, `${alone.words[0]} interrupts`);
    let visits = 0;
    const debugged = await outcome(jit, (gdb) => {
      const random = new Random(4711);
      for (; visits < VISITS && gdb.machine.end === undefined; visits++) visit(gdb, random);
    });
    assert.deepEqual(debugged, alone);
    assert.ok(visits > 10, `${visits} visits`);
  });
