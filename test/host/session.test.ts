/** A machine in its own thread: bytes both ways, every way it can end. The CPUs are scripted. */
import { test } from "node:test";
import assert from "node:assert/strict";
import type { Plan } from "../../src/boot/plan.js";
import type { StartMessage } from "../../src/host/node/messages.js";
import { Session, SessionError, type SessionOptions } from "../../src/host/node/session.js";
import { machineEnd } from "../../src/machine/end.js";
import { emptyPlan } from "../support/fake-machine.js";

const FAKE_WORKER = new URL("../support/fake-worker.js", import.meta.url);
const REAL_TIME = { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 };

function session(
  engine: string,
  options: Partial<SessionOptions> = {},
): { session: Session; output: Uint8Array[] } {
  const output: Uint8Array[] = [];
  const made = new Session({
    engine,
    worker: FAKE_WORKER,
    output: (bytes) => {
      output.push(bytes);
      return Promise.resolve();
    },
    ...options,
  });
  return { session: made, output };
}

function start(overrides: Partial<Plan> = {}): StartMessage {
  return { source: { plan: emptyPlan({ clock: REAL_TIME, ...overrides }) }, tripleFault: "crash" };
}

function text(output: Uint8Array[]): string {
  return Buffer.concat(output).toString("latin1");
}

test("R3.8 a guest's end comes back with its output", { timeout: 20_000 }, async () => {
  const { session: made, output } = session("hello");
  const report = await made.run(start());
  assert.deepEqual(report.end, { kind: "off", route: "toy", status: 0 });
  assert.equal(report.stats.instructions, 2);
  assert.equal(text(output), "hello\n");
});

test("a slow reader holds the guest back and loses nothing", { timeout: 60_000 }, async () => {
  let expected = 0;
  let largest = 0;
  const { session: made } = session("flood", {
    output: async (bytes) => {
      for (const byte of bytes) assert.equal(byte, expected++ % 251);
      largest = Math.max(largest, bytes.length);
      await new Promise((resolve) => setTimeout(resolve, 2));
    },
  });
  await made.run(start());
  assert.equal(expected, 1_000_000);
  assert.ok(largest <= 65_536);
});

test("pasted input that is larger than the ring reaches the guest whole", { timeout: 60_000 }, async () => {
  const input = Buffer.alloc(200_000, "0123456789abcdef");
  let given = 0;
  const give = (): void => {
    given += made.giveInput(input.subarray(given));
    if (given === input.length) made.closeInput();
  };
  const { session: made, output } = session("echo", { onInputRoom: give });
  const run = made.run(start());
  give();
  const report = await run;
  assert.equal(report.end.kind, "halted");
  assert.equal(text(output), input.toString("latin1"));
});

test(
  "R3.8 a busy machine ends soon after it was asked to, as what was asked",
  { timeout: 20_000 },
  async () => {
    const { session: made } = session("spin", {
      onStart: () => made.stop(machineEnd("timeout", "after 1 ms")),
    });
    const report = await made.run(start());
    assert.deepEqual(report.end, { kind: "timeout", route: "after 1 ms", status: 124 });
  },
);

test("R3.8 a sleeping machine ends when it is asked to", { timeout: 20_000 }, async () => {
  const { session: made } = session("echo", {
    onStart: () => setTimeout(() => made.stop(machineEnd("interrupted", "signal SIGTERM")), 50),
  });
  const report = await made.run(start());
  assert.equal(report.end.route, "signal SIGTERM");
  assert.equal(report.end.status, 130);
});

test("R1.4 a thread that does not answer is ended all the same", { timeout: 20_000 }, async () => {
  const { session: made } = session("hang", {
    onStart: () => setTimeout(() => made.stop(machineEnd("timeout", "after 100 ms")), 100),
  });
  const report = await made.run(start());
  assert.equal(report.end.kind, "timeout");
});

test("R3.8 a panic followed by a reset is a crash with the panic line", { timeout: 20_000 }, async () => {
  const { session: made } = session("panic");
  const { end } = await made.run(start());
  assert.deepEqual(end, {
    kind: "crashed",
    route: "toy",
    status: 4,
    reason: "Kernel panic - not syncing: test",
    machine: "reset",
  });
});

test("R3.9 a kernel that gave up after a panic is not waited for", { timeout: 20_000 }, async () => {
  const { session: made } = session("panic for ever");
  const { end } = await made.run(start());
  assert.equal(end.kind, "crashed");
  assert.equal(end.route, "panic without reboot");
});

test(
  "a broken thread, a missing engine, an impossible plan: each is told apart",
  { timeout: 20_000 },
  async () => {
    const region = { name: "x", start: 1e6, size: 1, e820: "ram" as const, owner: "t" };
    const outside = { ...region, content: { kind: "bytes" as const, bytes: Uint8Array.of(1) } };
    const cases: [SessionError["what"], () => Promise<unknown>, RegExp][] = [
      ["internal", () => session("break").session.run(start()), /broken on purpose/],
      ["engine", () => session("missing").session.run(start()), /engine missing: not here/],
      ["refused", () => session("hello").session.run(start({ regions: [outside] })), /not in RAM/],
    ];
    for (const [what, run, message] of cases) {
      await assert.rejects(run(), (error) => {
        assert.ok(error instanceof SessionError);
        assert.equal(error.what, what);
        assert.match(error.message, message);
        return true;
      });
    }
  },
);

test(
  "R1.10 a machine that has ended by itself, and whose reader takes nothing more, is over once it is asked to end",
  { timeout: 20_000 },
  async () => {
    const { session: made } = session("hello", { output: () => new Promise(() => undefined) });
    const run = made.run(start());
    // Long enough for its own end.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    made.stop(machineEnd("interrupted", "test"));
    assert.equal((await run).end.kind, "off");
  },
);

test(
  "R1.10 a sink that keeps what it is given gets all of it at the machine's end, though it never asks for more",
  { timeout: 60_000 },
  async () => {
    let taken = 0;
    const { session: made } = session("burst", {
      outputKeeps: true,
      output: (bytes) => {
        taken += bytes.length;
        return new Promise(() => undefined);
      },
    });
    assert.equal((await made.run(start())).end.kind, "off");
    assert.equal(taken, 200_000);
  },
);

test("a sink is given one block at a time, at the end too", { timeout: 60_000 }, async () => {
  let inside = 0;
  const { session: made } = session("flood", {
    output: async () => {
      assert.equal(++inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    },
  });
  await made.run(start());
  assert.equal(inside, 0);
});
