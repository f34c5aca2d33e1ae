/** The 8254 interval timer, as its data sheet describes it. */
import assert from "node:assert/strict";
import test from "node:test";
import { i8254CounterShape, initialCounterState, writeByte } from "../../src/devices/time/i8254-counter.js";
import { I8254, type I8254State } from "../../src/devices/time/i8254.js";
import { timeOfTick } from "../../src/devices/time/tick-rate.js";
import { PIT_HZ } from "../../src/spec/i8254.js";
import { FakeClock } from "../support/fake-clock.js";
import { RecordingLine } from "../support/recording-line.js";

const CONTROL = 3;

class Bench {
  readonly clock = new FakeClock();
  readonly irq = new RecordingLine();
  readonly pit = new I8254(this.clock, this.clock, this.irq);

  /** Moves on to `ticks` of the timer since the start. */
  at(ticks: number): void {
    this.clock.advance(timeOfTick(ticks, PIT_HZ) - this.clock.now());
  }

  program(channel: number, mode: number, count: number, bcd = 0): void {
    this.pit.writePort(CONTROL, 1, (channel << 6) | 0x30 | (mode << 1) | bcd);
    this.pit.writePort(channel, 1, count & 0xff);
    this.pit.writePort(channel, 1, count >> 8);
  }

  count(channel: number): number {
    this.pit.writePort(CONTROL, 1, channel << 6);
    return this.pit.readPort(channel, 1) | (this.pit.readPort(channel, 1) << 8);
  }

  /** Output of `channel` at each of `ticks`. */
  outputs(channel: number, ticks: number[]): boolean[] {
    return ticks.map((tick) => {
      this.at(tick);
      return this.pit.output(channel);
    });
  }
}

test("i8254 mode 0: the output is low until the count has run out, then high; the count goes on past zero", () => {
  const bench = new Bench();
  bench.program(0, 0, 100);
  assert.deepEqual(bench.outputs(0, [0, 99, 100, 5000]), [false, false, true, true]);
  assert.equal(bench.count(0), (100 - 5000) & 0xffff);
  assert.equal(bench.irq.rises, 1);
});

test("i8254 mode 0: the first byte of a new count stops the old one", () => {
  const bench = new Bench();
  bench.program(0, 0, 100);
  bench.at(60);
  bench.pit.writePort(0, 1, 10);
  bench.at(200);
  assert.equal(bench.pit.output(0), false);
  bench.pit.writePort(0, 1, 0);
  assert.deepEqual(bench.outputs(0, [209, 210]), [false, true]);
});

test("i8254 mode 0: the gate holds the count", () => {
  const bench = new Bench();
  bench.pit.setGate(2, true);
  bench.program(2, 0, 100);
  bench.at(40);
  bench.pit.setGate(2, false);
  bench.at(500);
  assert.equal(bench.count(2), 60);
  bench.pit.setGate(2, true);
  assert.deepEqual(bench.outputs(2, [559, 560]), [false, true]);
});

test("i8254 mode 1: a rising gate gives one pulse of the count's length, and gives it again", () => {
  const bench = new Bench();
  bench.program(2, 1, 50);
  assert.deepEqual(bench.outputs(2, [0, 70]), [true, true]);
  bench.pit.setGate(2, true);
  assert.deepEqual(bench.outputs(2, [70, 119, 120]), [false, false, true]);
  bench.pit.setGate(2, false);
  bench.pit.setGate(2, true);
  assert.equal(bench.pit.output(2), false);
});

test("i8254 mode 2: the output is low for the last tick of every period", () => {
  const bench = new Bench();
  bench.program(0, 2, 1000);
  assert.deepEqual(bench.outputs(0, [0, 998, 999, 1000, 1999, 2000]), [true, true, false, true, false, true]);
  bench.at(2400);
  assert.equal(bench.count(0), 600);
});

test("i8254 mode 2: a new count takes over at the end of the period", () => {
  const bench = new Bench();
  bench.program(1, 2, 1000);
  bench.at(1500);
  bench.pit.writePort(1, 1, 200);
  bench.pit.writePort(1, 1, 0);
  bench.at(1900);
  assert.equal(bench.count(1), 100);
  bench.at(2050);
  assert.equal(bench.count(1), 150);
});

test("i8254 mode 3: a square wave, one tick longer high when the count is odd, counting by two", () => {
  const bench = new Bench();
  bench.program(1, 3, 5);
  assert.deepEqual(bench.outputs(1, [0, 1, 2, 3, 4, 5]), [true, true, true, false, false, true]);
  const even = new Bench();
  even.program(1, 3, 1000);
  even.at(100);
  assert.equal(even.count(1), 800);
  even.at(600);
  assert.equal(even.count(1), 800);
});

test("i8254 modes 2 and 3: a low gate stops the count with the output high, a rising one starts it afresh", () => {
  for (const mode of [2, 3]) {
    const bench = new Bench();
    bench.pit.setGate(2, true);
    bench.program(2, mode, 1000);
    bench.at(999);
    assert.equal(bench.pit.output(2), false);
    bench.pit.setGate(2, false);
    assert.equal(bench.pit.output(2), true);
    bench.at(5000);
    bench.pit.setGate(2, true);
    assert.equal(bench.count(2), 1000);
  }
});

test("i8254 mode 4: one tick low when the count has run out", () => {
  const bench = new Bench();
  bench.program(0, 4, 100);
  assert.deepEqual(bench.outputs(0, [99, 100, 101]), [true, false, true]);
  assert.equal(bench.irq.rises, 2, "the line rose with the control word and with the strobe");
});

test("i8254 mode 5: the strobe is started by the gate", () => {
  const bench = new Bench();
  bench.program(2, 5, 100);
  bench.at(500);
  assert.equal(bench.pit.output(2), true);
  bench.pit.setGate(2, true);
  assert.deepEqual(bench.outputs(2, [599, 600, 601]), [true, false, true]);
});

test("i8254: a count of zero is 65536, or 10000 in BCD", () => {
  const bench = new Bench();
  bench.program(0, 0, 0);
  assert.deepEqual(bench.outputs(0, [65535, 65536]), [false, true]);
  const bcd = new Bench();
  bcd.program(0, 0, 0, 1);
  bcd.at(1);
  assert.equal(bcd.count(0), 0x9999);
  assert.deepEqual(bcd.outputs(0, [9999, 10000]), [false, true]);
});

test("i8254: a latched count stays until it is read, a latched status comes first", () => {
  const bench = new Bench();
  bench.program(0, 2, 0x1234);
  bench.pit.writePort(CONTROL, 1, 0xc2);
  bench.at(100);
  assert.equal(bench.pit.readPort(0, 1), 0x80 | 0x34, "output high, count loaded, LSB then MSB, mode 2");
  assert.equal(bench.pit.readPort(0, 1), 0x34);
  assert.equal(bench.pit.readPort(0, 1), 0x12);
  assert.equal(bench.pit.readPort(0, 1), (0x1234 - 100) & 0xff, "then the running count again");
});

test("i8254: null count shows that a count is not yet in the counter", () => {
  const bench = new Bench();
  bench.program(2, 1, 50);
  bench.pit.writePort(CONTROL, 1, 0xe8);
  assert.equal(bench.pit.readPort(2, 1) & 0x40, 0x40);
  bench.pit.setGate(2, true);
  bench.pit.writePort(CONTROL, 1, 0xe8);
  assert.equal(bench.pit.readPort(2, 1) & 0x40, 0);
});

test("i8254: access by low or high byte alone", () => {
  const bench = new Bench();
  bench.pit.writePort(CONTROL, 1, 0x14);
  bench.pit.writePort(0, 1, 0x80);
  assert.equal(bench.pit.readPort(0, 1), 0x80);
  bench.pit.writePort(CONTROL, 1, 0x64);
  bench.pit.writePort(1, 1, 0x80);
  assert.equal(bench.pit.readPort(1, 1), 0x80);
});

test("R3.2 i8254: a period of 11932 ticks gives 99 interrupts in the first second", () => {
  const bench = new Bench();
  bench.program(0, 2, 11932);
  bench.irq.rises = 0;
  bench.clock.advance(1_000_000_000);
  assert.equal(bench.irq.rises, 99);
});

test("R3.2 i8254: a period of one tick does not flood the host", () => {
  const bench = new Bench();
  bench.program(0, 2, 1);
  bench.clock.advance(1_000_000_000);
  assert.ok(bench.clock.fired <= 20_000, `${bench.clock.fired} timers in a second`);
});

test("i8254: ticks that a late host missed are caught up, but not those of a long suspension", () => {
  const bench = new Bench();
  bench.program(0, 2, 11932);
  bench.irq.rises = 0;
  bench.clock.jump(100_000_000);
  assert.equal(bench.irq.rises, 9);
  bench.irq.rises = 0;
  bench.clock.jump(3_600_000_000_000);
  assert.ok(bench.irq.rises <= 26, `${bench.irq.rises}`);
});

test("i8254: a timer nobody programmed arms nothing", () => {
  assert.equal(new Bench().clock.armed, 0);
});

test("i8254: a timer with the same state goes on the same", () => {
  const bench = new Bench();
  bench.program(0, 2, 11932);
  bench.clock.advance(123_456_789);
  const irq = new RecordingLine();
  const copy = new I8254(
    bench.clock,
    bench.clock,
    irq,
    JSON.parse(JSON.stringify(bench.pit.state)) as I8254State,
  );
  bench.irq.rises = 0;
  irq.rises = 0;
  bench.clock.advance(50_000_000);
  assert.equal(irq.rises, bench.irq.rises);
  assert.deepEqual(copy.state, bench.pit.state);
});

test("R6.2 i8254: a state that its shape lets in comes to none that it does not, where the counter began long before the machine", () => {
  const given = { ...initialCounterState(false), mode: 2, count: 100, start: -Number.MAX_SAFE_INTEGER };
  const state = i8254CounterShape.check(given, "counter");
  for (const byte of [0x34, 0x12]) writeByte(state, 5, byte);
  assert.ok(state.nextStart < 0);
  assert.deepEqual(i8254CounterShape.check(state, "counter"), state);
});
