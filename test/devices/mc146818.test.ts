/** The MC146818 real-time clock, as its data sheet describes it, and the CMOS bytes behind it. */
import assert from "node:assert/strict";
import test from "node:test";
import { cmosForMachine } from "../../src/devices/time/cmos.js";
import { initialMc146818State, Mc146818, type Mc146818State } from "../../src/devices/time/mc146818.js";
import { nextAlarm } from "../../src/devices/time/rtc-calendar.js";
import { CMOS, RTC } from "../../src/spec/mc146818.js";
import { FakeClock } from "../support/fake-clock.js";
import { Random } from "../support/random.js";
import { RecordingLine } from "../support/recording-line.js";

const SECOND = 1_000_000_000;
const START = Date.UTC(2024, 1, 29, 23, 59, 58) / 1000;
const TIME = [RTC.century, RTC.year, RTC.month, RTC.dayOfMonth, RTC.hours, RTC.minutes, RTC.seconds];

class Bench {
  readonly clock = new FakeClock();
  readonly irq = new RecordingLine();
  readonly rtc: Mc146818;

  constructor(start = START, cmos: number[] = []) {
    this.rtc = new Mc146818(this.clock, this.clock, this.irq, initialMc146818State(start, cmos));
  }

  read(index: number): number {
    this.rtc.writePort(0, 1, index);
    return this.rtc.readPort(1, 1);
  }

  write(index: number, value: number): void {
    this.rtc.writePort(0, 1, index);
    this.rtc.writePort(1, 1, value);
  }

  time(): string {
    return TIME.map((index) => this.read(index).toString(16).padStart(2, "0")).join(" ");
  }
}

test("RTC: the time is BCD with 24 hours, and the calendar knows leap years", () => {
  const bench = new Bench();
  assert.equal(bench.time(), "20 24 02 29 23 59 58");
  assert.equal(bench.read(RTC.dayOfWeek), 5, "a Thursday; Sunday is 1");
  bench.clock.advance(2 * SECOND);
  assert.equal(bench.time(), "20 24 03 01 00 00 00");
  assert.equal(bench.read(RTC.dayOfWeek), 6);
});

test("RTC: binary mode and 12 hours", () => {
  const bench = new Bench();
  bench.write(RTC.b, 0x06);
  assert.equal(bench.read(RTC.hours), 23);
  assert.equal(bench.read(RTC.year), 24);
  bench.write(RTC.b, 0x00);
  assert.equal(bench.read(RTC.hours), 0x91, "11 pm");
  bench.clock.advance(2 * SECOND);
  assert.equal(bench.read(RTC.hours), 0x12, "midnight is 12 am");
  bench.clock.advance(12 * 3600 * SECOND);
  assert.equal(bench.read(RTC.hours), 0x92, "noon is 12 pm");
});

test("RTC: SET holds the registers; time goes on from what was written", () => {
  const bench = new Bench();
  bench.write(RTC.b, 0x82);
  const values: [number, number][] = [
    [RTC.century, 0x19],
    [RTC.year, 0x99],
    [RTC.month, 0x12],
    [RTC.dayOfMonth, 0x31],
    [RTC.hours, 0x23],
    [RTC.minutes, 0x59],
    [RTC.seconds, 0x59],
    [RTC.dayOfWeek, 0x03],
  ];
  for (const [index, value] of values) bench.write(index, value);
  bench.clock.advance(5 * SECOND);
  assert.equal(bench.time(), "19 99 12 31 23 59 59");
  bench.write(RTC.b, 0x02);
  assert.equal(bench.time(), "19 99 12 31 23 59 59");
  bench.clock.advance(SECOND);
  assert.equal(bench.time(), "20 00 01 01 00 00 00");
  assert.equal(bench.read(RTC.dayOfWeek), 4, "the guest's own count of weekdays goes on");
});

test("RTC: a register written while time runs takes effect at once", () => {
  const bench = new Bench();
  bench.write(RTC.hours, 0x10);
  bench.clock.advance(SECOND);
  assert.equal(bench.time(), "20 24 02 29 10 59 59");
});

test("RTC: UIP is up for 2228 µs before each update, never while SET holds the clock", () => {
  const bench = new Bench();
  const uip = (): number => bench.read(RTC.a) & 0x80;
  assert.equal(uip(), 0);
  bench.clock.advance(SECOND - 2_228_001);
  assert.equal(uip(), 0);
  bench.clock.advance(1);
  assert.equal(uip(), 0x80);
  bench.write(RTC.b, 0x82);
  assert.equal(uip(), 0);
  bench.write(RTC.b, 0x02);
  bench.clock.advance(2_228_000);
  assert.equal(uip(), 0);
});

test("RTC: the first update comes half a second after the divider leaves reset", () => {
  const bench = new Bench();
  bench.clock.advance(300_000_000);
  bench.write(RTC.a, 0x70);
  bench.clock.advance(10 * SECOND);
  assert.equal(bench.read(RTC.seconds), 0x58);
  bench.write(RTC.a, 0x26);
  bench.clock.advance(499_999_999);
  assert.equal(bench.read(RTC.seconds), 0x58);
  bench.clock.advance(1);
  assert.equal(bench.read(RTC.seconds), 0x59);
});

test("RTC: the update interrupt comes each second, and register C says so and withdraws it", () => {
  const bench = new Bench();
  bench.write(RTC.b, 0x12);
  bench.clock.advance(SECOND);
  assert.equal(bench.irq.level, true);
  assert.equal(bench.read(RTC.c) & 0x90, 0x90);
  assert.equal(bench.irq.level, false);
  assert.equal(bench.read(RTC.c), 0);
  bench.clock.advance(3 * SECOND);
  assert.equal(bench.irq.rises, 2, "the line stays up until C is read");
});

test("RTC: the periodic interrupt has the rate of register A", () => {
  for (const [rate, hz] of [
    [0x3, 8192],
    [0x6, 1024],
    [0xf, 2],
    [0x1, 256],
    [0x2, 128],
  ]) {
    const bench = new Bench();
    bench.write(RTC.a, 0x20 | rate);
    bench.write(RTC.b, 0x42);
    let ticks = 0;
    for (let ms = 0; ms < 20_000; ms++) {
      bench.clock.advance(50_000);
      if (bench.irq.level) {
        ticks++;
        assert.equal(bench.read(RTC.c) & 0xc0, 0xc0);
      }
    }
    assert.equal(ticks, hz);
  }
});

test("RTC: the alarm matches its time, and 0xc0 to 0xff match any", () => {
  const bench = new Bench();
  bench.write(RTC.secondsAlarm, 0x30);
  bench.write(RTC.minutesAlarm, 0xff);
  bench.write(RTC.hoursAlarm, 0x00);
  bench.write(RTC.b, 0x22);
  bench.clock.advance(31 * SECOND);
  assert.equal(bench.irq.level, false);
  bench.clock.advance(SECOND);
  assert.equal(bench.irq.level, true);
  assert.equal(bench.read(RTC.c) & 0x20, 0x20);
  bench.clock.advance(60 * SECOND);
  assert.equal(bench.irq.level, true);
  bench.read(RTC.c);
  bench.clock.advance(58 * 60 * SECOND);
  bench.read(RTC.c);
  bench.clock.advance(22 * 3600 * SECOND);
  assert.equal(bench.irq.level, false, "only in the hour of midnight");
});

test("RTC: an alarm that no time has never comes", () => {
  const bench = new Bench();
  bench.write(RTC.secondsAlarm, 0x75);
  bench.write(RTC.b, 0x22);
  assert.equal(bench.clock.armed, 0);
});

test("RTC: flags are set without interrupts too, and nothing is armed for them", () => {
  const bench = new Bench();
  bench.clock.advance(SECOND);
  assert.equal(bench.clock.fired, 0);
  assert.equal(bench.read(RTC.c), 0x50);
});

test("RTC: an interrupt that the guest never acknowledges costs one timer", () => {
  const bench = new Bench();
  bench.write(RTC.a, 0x23);
  bench.write(RTC.b, 0x72);
  bench.clock.advance(100 * SECOND);
  assert.equal(bench.clock.fired, 1);
});

test("RTC: register D says that the RAM is valid; C and D cannot be written", () => {
  const bench = new Bench();
  bench.write(RTC.d, 0);
  bench.write(RTC.c, 0xff);
  assert.equal(bench.read(RTC.d), 0x80);
  assert.equal(bench.read(RTC.c), 0);
});

test("RTC: bit 7 of the index masks NMI; the index cannot be read", () => {
  const bench = new Bench();
  assert.equal(bench.rtc.nmiEnabled, true);
  bench.rtc.writePort(0, 1, 0x8f);
  assert.equal(bench.rtc.nmiEnabled, false);
  bench.rtc.writePort(1, 1, 0x0a);
  assert.equal(bench.read(0x0f), 0x0a, "the shutdown byte that NetBSD writes");
  assert.equal(bench.rtc.readPort(0, 1), 0xff);
});

test("CMOS: memory sizes are where firmware keeps them, checksummed", () => {
  const bytes = cmosForMachine(256 << 20, 0x1_4000_0000, 3);
  const bench = new Bench(START, bytes);
  const word = (low: number): number => bench.read(low) | (bench.read(low + 1) << 8);
  assert.equal(word(CMOS.baseMemoryLow), 640);
  assert.equal(word(CMOS.extendedMemoryLow), 0xffff);
  assert.equal(word(CMOS.extendedMemoryLow2), 0xffff);
  assert.equal(word(CMOS.above16MLow), (240 << 20) / 0x10000);
  assert.equal(word(CMOS.above4GLow) | (bench.read(CMOS.above4GHigh) << 16), 0x14000);
  let sum = 0;
  for (let i = 0x10; i <= 0x2d; i++) sum += bench.read(i);
  assert.equal((bench.read(0x2e) << 8) | bench.read(0x2f), sum & 0xffff);
  assert.equal(cmosForMachine(16 << 20, 0, 1)[CMOS.extendedMemoryHigh], (15 * 1024) >> 8);
});

test("RTC: a clock with the same state goes on the same", () => {
  const bench = new Bench();
  bench.write(RTC.b, 0x52);
  bench.clock.advance(SECOND / 3);
  bench.read(RTC.c);
  const irq = new RecordingLine();
  const state = JSON.parse(JSON.stringify(bench.rtc.state)) as Mc146818State;
  const copy = new Mc146818(bench.clock, bench.clock, irq, state);
  bench.clock.advance(SECOND);
  assert.equal(irq.level, true);
  assert.equal(copy.readPort(1, 1), bench.rtc.readPort(1, 1));
  assert.deepEqual(copy.state, bench.rtc.state);
});

test("RTC: a clock shows at every moment what one that has just got its state shows, and raises the same flags", () => {
  const bench = new Bench();
  const random = new Random(77);
  const REGISTERS = [...TIME, RTC.dayOfWeek, RTC.a, RTC.b, RTC.c, 0x40];
  const ALARMS = [RTC.secondsAlarm, RTC.minutesAlarm, RTC.hoursAlarm];
  const STEPS = [1, 100_000, 976_563, SECOND / 7, SECOND, 61 * SECOND, 3601 * SECOND, 86_399 * SECOND];
  for (let i = 0; i < 1000; i++) {
    const { rtc, clock } = bench;
    if (random.below(2) === 0) clock.advance(random.pick(STEPS));
    if (random.below(50) === 0)
      bench.write(random.pick(ALARMS), random.pick([0x00, 0x11, 0x23, 0x59, 0xc0, 0xff]));
    if (random.below(50) === 0) bench.write(random.pick(TIME), random.pick([0x00, 0x01, 0x12, 0x20]));
    if (random.below(50) === 0) bench.write(RTC.b, random.pick([0x02, 0x82, 0x06, 0x00, 0x72]));
    if (random.below(50) === 0) bench.write(RTC.a, random.pick([0x26, 0x20, 0x2f, 0x60, 0x21]));
    rtc.writePort(0, 1, random.pick(REGISTERS));
    const irq = new RecordingLine();
    const state = JSON.parse(JSON.stringify(rtc.state)) as Mc146818State;
    const copy = new Mc146818(new FakeClock(clock.now()), new FakeClock(), irq, state);
    assert.equal(rtc.readPort(1, 1), copy.readPort(1, 1), `register ${rtc.state.index} in round ${i}`);
    assert.deepEqual(rtc.state, copy.state, `in round ${i}`);
    assert.equal(bench.irq.level, irq.level);
  }
});

test("RTC: an alarm is the first second behind now that hours, minutes and seconds match", () => {
  const random = new Random(78);
  const BINARY = 0x06;
  const any = 0xc0;
  for (let i = 0; i < 300; i++) {
    const alarm = [random.below(24), random.below(60), random.below(60)].map((v) =>
      random.below(3) ? v : any,
    );
    const bytes: number[] = [];
    [RTC.hoursAlarm, RTC.minutesAlarm, RTC.secondsAlarm].forEach((at, k) => (bytes[at] = alarm[k]));
    const now = START + random.below(2 * 86_400);
    let expected = now + 1;
    const matches = (t: number): boolean =>
      [Math.floor(t / 3600) % 24, Math.floor(t / 60) % 60, t % 60].every(
        (v, k) => alarm[k] === any || alarm[k] === v,
      );
    while (!matches(expected)) expected++;
    assert.equal(nextAlarm(bytes, BINARY, now), expected, `${alarm.join(":")} after ${now}`);
  }
});

test("RTC: an interrupt that becomes due while register C is being read is an edge of its own", () => {
  /** Real time: it goes on between two looks at the clock. */
  class RunningClock extends FakeClock {
    runs = false;
    private passed = 0;
    override now(): number {
      return super.now() + (this.runs ? this.passed++ : this.passed);
    }
  }
  const clock = new RunningClock();
  const irq = new RecordingLine();
  const rtc = new Mc146818(clock, clock, irq, initialMc146818State(START, []));
  const port = (index: number, value?: number): number => {
    rtc.writePort(0, 1, index);
    if (value !== undefined) rtc.writePort(1, 1, value);
    return value ?? rtc.readPort(1, 1);
  };
  const nsOfPeriod = (n: number): number => Math.ceil((n * SECOND) / 1024);
  port(RTC.a, 0x26);
  port(RTC.b, 0x42);
  clock.advance(nsOfPeriod(1));
  assert.equal(irq.rises, 1);
  clock.advance(nsOfPeriod(2) - 1 - clock.now());
  clock.runs = true;
  assert.equal(port(RTC.c), 0xc0, "the first period's");
  assert.deepEqual([irq.rises, irq.level], [2, true], "the second period's");
});
