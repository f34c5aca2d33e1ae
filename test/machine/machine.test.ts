/** The run loop with scripted CPUs: scheduling, time, ends. */
import { test } from "node:test";
import assert from "node:assert/strict";
import type { ScriptCpu, Script } from "../support/fake-engine.js";
import { fakeMachine } from "../support/fake-machine.js";

const ONE_SECOND_US = 1_000_000;

function print(cpu: ScriptCpu, text: string): void {
  for (const char of text) cpu.out(0x10, char.charCodeAt(0));
}

function* work(count: number): Script {
  for (let i = 0; i < count; i++) yield;
}

test("R3.8 power-off, reset and debug exit end the machine with route and status", () => {
  const cases = [
    { port: 0x21, value: 0, end: { kind: "off", route: "toy", status: 0 } },
    { port: 0x22, value: 0, end: { kind: "reset", route: "toy", status: 0 } },
    { port: 0x23, value: 3, end: { kind: "off", route: "toy", status: 7, reason: "value 3" } },
  ];
  for (const { port, value, end } of cases) {
    const { machine } = fakeMachine({
      *main(cpu) {
        yield* work(10);
        cpu.out(port, value);
        yield;
        assert.fail("ran on after its end");
      },
    });
    assert.deepEqual(machine.run(1e6), { state: "ended", end });
    assert.deepEqual(machine.end, end);
  }
});

test("R3.8 a triple fault is a crash, or a reset where that was asked for", () => {
  const program = {
    *main(): Script {
      yield "triple-fault";
    },
  };
  const crash = fakeMachine(program).machine.run(10);
  assert.deepEqual(crash, {
    state: "ended",
    end: { kind: "crashed", route: "triple-fault", status: 4, reason: "#GP, then #DF" },
  });
  const reset = fakeMachine(program, {}, { tripleFault: "reset" }).machine.run(10);
  assert.equal(reset.state === "ended" && reset.end.kind, "reset");
  assert.equal(reset.state === "ended" && reset.end.status, 0);
});

test("R3.8 an engine's own error is reported as a crash, never swallowed", () => {
  const { machine } = fakeMachine({
    *main() {
      yield "error";
    },
  });
  assert.deepEqual(machine.run(10), {
    state: "ended",
    end: { kind: "crashed", route: "engine-error", status: 4, reason: "a bug" },
  });
});

test("R3.9 HLT with interrupts off on every CPU is halted", () => {
  const { machine } = fakeMachine({
    *main() {
      yield* work(3);
      yield "hlt";
    },
  });
  const step = machine.run(100);
  assert.equal(step.state === "ended" && step.end.kind, "halted");
  assert.equal(step.state === "ended" && step.end.route, "interrupts-off");
  assert.equal(machine.stats().instructions, 4);
});

test("R3.9 HLT with interrupts on is halted only when no timer is armed and no input can come", () => {
  const program = {
    *main(cpu: ScriptCpu): Script {
      cpu.setInterrupts(true);
      for (;;) yield "hlt";
    },
  };
  const closed = fakeMachine(program).machine.run(100);
  assert.equal(closed.state === "ended" && closed.end.route, "no-wake-source");
  const { machine, console } = fakeMachine(program);
  console.open = true;
  assert.deepEqual(machine.run(100), { state: "idle", until: undefined });
  console.open = false;
  const ended = machine.run(100);
  assert.equal(ended.state === "ended" && ended.end.kind, "halted");
});

test("R3.9 a jump to itself with interrupts off is stuck, not an endless run", () => {
  const { machine } = fakeMachine({
    *main() {
      yield* work(5);
      yield "self-jump";
    },
  });
  const step = machine.run(1e9);
  assert.equal(step.state === "ended" && step.end.kind, "stuck");
  assert.equal(step.state === "ended" && step.end.status, 10);
});

test("R3.2 deterministic: a timer interrupt arrives at exactly its instruction", () => {
  const arrivals: number[] = [];
  const { machine } = fakeMachine({
    *main(cpu) {
      cpu.setInterrupts(true);
      cpu.out(0x40, 10, 4);
      yield* work(5000);
      cpu.out(0x21, 0);
      yield;
    },
    interrupt: (cpu) => arrivals.push(cpu.rdtsc()),
  });
  machine.run(1e6);
  // Armed during the first instruction (10 ns), 10 µs ahead.
  assert.deepEqual(arrivals, [10_010]);
});

test("R3.2 deterministic: sleeping skips time instead of spending it", () => {
  const { machine } = fakeMachine({
    *main(cpu) {
      cpu.setInterrupts(true);
      for (let i = 0; i < 3; i++) {
        cpu.out(0x40, ONE_SECOND_US, 4);
        yield "hlt";
      }
      cpu.out(0x21, 0);
      yield;
    },
  });
  const before = performance.now();
  machine.run(1e6);
  assert.ok(performance.now() - before < 1000);
  assert.ok(machine.now() >= 3e9);
  assert.equal(machine.stats().instructions, 4);
});

test("R3.2 deterministic: two runs give the same output, count and end, whatever the step size", () => {
  const once = (stepSize: number): unknown => {
    const { machine, console } = fakeMachine({
      *main(cpu) {
        cpu.setInterrupts(true);
        for (let i = 0; i < 50; i++) {
          cpu.out(0x40, (i * 7) % 13, 4);
          yield* work((i * 31) % 400);
          print(cpu, `${cpu.rdtsc()} `);
          if (i % 3 === 0) {
            cpu.out(0x40, 40, 4);
            yield "hlt";
          }
        }
        cpu.out(0x22, 0);
        yield;
      },
      interrupt: (cpu) => print(cpu, "!"),
    });
    while (machine.run(stepSize).state !== "ended");
    return { text: console.text, stats: machine.stats(), end: machine.end };
  };
  assert.deepEqual(once(1e6), once(1e6));
  assert.deepEqual(once(1e6), once(17));
});

test("run(n) executes exactly n instructions", () => {
  const { machine } = fakeMachine({
    *main() {
      for (;;) yield;
    },
  });
  assert.deepEqual(machine.run(12_345), { state: "ran", instructions: 12_345 });
  assert.equal(machine.stats().instructions, 12_345);
});

test("R3.2 real time: an armed timer makes an idle machine say until when it may sleep", () => {
  let host = 0;
  const { machine } = fakeMachine(
    {
      *main(cpu) {
        cpu.setInterrupts(true);
        cpu.out(0x40, 500, 4);
        yield "hlt";
        cpu.out(0x21, 0);
        yield;
      },
    },
    { clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } },
    { hostNow: () => host },
  );
  assert.deepEqual(machine.run(100), { state: "idle", until: 500_000 });
  host = 499_999;
  assert.deepEqual(machine.run(100), { state: "idle", until: 500_000 });
  host = 500_000;
  const step = machine.run(100);
  assert.equal(step.state === "ended" && step.end.kind, "off");
});

test("R3.2 real time: a timer armed in the middle of a long slice ends it early", () => {
  let host = 0;
  let armed = { host: 0, guest: 0 };
  let late = { host: -1, guest: -1 };
  const { machine } = fakeMachine(
    {
      *main(cpu) {
        cpu.setInterrupts(true);
        for (let i = 0; i < 3000; i++) {
          host += 1000;
          if (i === 1500) {
            armed = { host, guest: cpu.rdtsc() };
            cpu.out(0x40, 1, 4);
          }
          yield;
        }
        cpu.out(0x21, 0);
        yield;
      },
      interrupt: (cpu) => (late = { host: host - armed.host, guest: cpu.rdtsc() - armed.guest }),
    },
    { clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } },
    { hostNow: () => host },
  );
  machine.run(1e6);
  // On the host's clock, and on the guest's, which follows it.
  for (const latency of [late.host, late.guest])
    assert.ok(latency >= 1000 && latency <= 600_000, `interrupt came ${latency} ns late`);
});

test("R3.4 another CPU starts by INIT and start-up IPI, and both run in turn", () => {
  const { machine, console } = fakeMachine(
    {
      *main(cpu, vector) {
        if (vector === undefined) {
          // Waits since its reset; INIT makes it wait anew, and only the first of two start-up IPIs counts.
          cpu.out(0x31, 1);
          yield;
          cpu.out(0x30, 1);
          cpu.out(0x31, 1);
          cpu.out(0x31, 1);
          yield* work(100_000);
          cpu.out(0x21, 0);
          yield;
        } else {
          print(cpu, `cpu ${cpu.id} vector ${vector}`);
          for (;;) yield;
        }
      },
    },
    { cpus: 2 },
  );
  const step = machine.run(1e6);
  assert.equal(step.state === "ended" && step.end.kind, "off");
  // The first message starts it, INIT and the second start it again, the third finds it running.
  assert.equal(console.text, "cpu 1 vector 8".repeat(2));
});

test("console input reaches the guest only as fast as its port has room, and nothing is lost", () => {
  const text = "the quick brown fox jumps over the lazy dog";
  const { machine, console } = fakeMachine({
    *main(cpu) {
      cpu.setInterrupts(true);
      for (;;) yield "hlt";
    },
    interrupt(cpu) {
      for (let byte = cpu.in(0x11); byte !== 0; byte = cpu.in(0x11)) cpu.out(0x10, byte);
    },
  });
  console.queue.push(...Buffer.from(text));
  const step = machine.run(1e6);
  assert.equal(console.text, text);
  assert.equal(step.state === "ended" && step.end.kind, "halted");
});

test("R1.6 a region outside RAM is refused by name when the plan is made live", () => {
  const region = {
    name: "kernel",
    start: 0xfff0,
    size: 0x20,
    e820: "ram" as const,
    owner: "test",
    content: { kind: "bytes" as const, bytes: new Uint8Array(0x20) },
  };
  const make = (): unknown =>
    fakeMachine(
      {
        *main() {
          yield;
        },
      },
      { regions: [region] },
    );
  assert.throws(make, /region "kernel": 0xfff0–0x10010 is not in RAM/);
});
