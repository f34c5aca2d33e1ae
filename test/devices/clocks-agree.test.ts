/**
 * R3.2: every timer of the machine is a view of one clock. A guest that measures one against another over ten
 * seconds finds them equal within 0.1 %; here they are equal within one tick of the coarser.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { ticksAt } from "../../src/devices/time/tick-rate.js";
import { PM_TIMER } from "../../src/spec/acpi-pm.js";
import { LAPIC } from "../../src/spec/apic.js";
import { PIT_HZ } from "../../src/spec/i8254.js";
import { DeviceBoard, LAPIC_PAGE } from "../support/device-board.js";
import { FakeClock } from "../support/fake-clock.js";

const SECONDS = 10;
const TOLERANCE = 0.001;
const APIC_HZ = 1_000_000_000;
const TSC_HZ = 2_100_000_000;
/** Uneven steps, so that nothing is looked at on a boundary. */
const STEP_NS = 731_357;

/** A guest that counts everything there is to count for ten seconds of the machine's clock. */
class Measurement {
  readonly clock = new FakeClock();
  readonly board = new DeviceBoard(this.clock);
  private pitTicks = 0;
  private pitLast = 0;
  private pmTicks = 0;
  private pmLast = 0;
  private apicTicks = 0;
  private apicLast = 0;
  private rtcSeconds = 0;
  private rtcLast = 0;

  run(): Record<string, number> {
    const { board, clock } = this;
    board.ports.write(0x43, 1, 0x34);
    board.ports.write(0x40, 1, 0);
    board.ports.write(0x40, 1, 0);
    board.mmio.write(LAPIC_PAGE + LAPIC.divide, 4, 0x3);
    board.mmio.write(LAPIC_PAGE + LAPIC.initialCount, 4, 0xffffffff);
    this.apicLast = this.apic();
    this.pmLast = board.ports.read(0x608, 4);
    this.pitLast = this.pit();
    this.rtcLast = this.rtc();
    const start = clock.now();
    while (clock.now() - start < SECONDS * 1e9) {
      clock.advance(STEP_NS);
      this.sample();
    }
    const elapsed = clock.now() - start;
    return {
      "8254": this.pitTicks / PIT_HZ,
      "PM timer": this.pmTicks / PM_TIMER.hz,
      "LAPIC timer": (this.apicTicks * 16) / APIC_HZ,
      TSC: ticksAt(elapsed, TSC_HZ) / TSC_HZ,
      clock: elapsed / 1e9,
    };
  }

  get seconds(): number {
    return this.rtcSeconds;
  }

  private sample(): void {
    const pit = this.pit();
    this.pitTicks += (this.pitLast - pit + 0x10000) % 0x10000;
    this.pitLast = pit;
    const pm = this.board.ports.read(0x608, 4);
    this.pmTicks += (pm - this.pmLast) >>> 0;
    this.pmLast = pm;
    const apic = this.apic();
    this.apicTicks += (this.apicLast - apic) >>> 0;
    this.apicLast = apic;
    const rtc = this.rtc();
    this.rtcSeconds += (rtc - this.rtcLast + 60) % 60;
    this.rtcLast = rtc;
  }

  /** Latches and reads channel 0. */
  private pit(): number {
    const { ports } = this.board;
    ports.write(0x43, 1, 0);
    return ports.read(0x40, 1) | (ports.read(0x40, 1) << 8);
  }

  private apic(): number {
    return this.board.mmio.read(LAPIC_PAGE + LAPIC.currentCount, 4);
  }

  private rtc(): number {
    const { ports } = this.board;
    ports.write(0x70, 1, 0);
    const bcd = ports.read(0x71, 1);
    return (bcd >> 4) * 10 + (bcd & 0xf);
  }
}

test("R3.2 PIT, LAPIC timer, PM timer and TSC agree within 0.1 % over ten seconds, the RTC within its second", () => {
  const measurement = new Measurement();
  const seconds = measurement.run();
  for (const [name, value] of Object.entries(seconds)) {
    assert.ok(Math.abs(value / seconds.clock - 1) < TOLERANCE, `${name}: ${value} s`);
  }
  assert.equal(measurement.seconds, SECONDS);
});

test("R3.2 interrupts of PIT, LAPIC timer and RTC come at their rates over ten seconds", () => {
  const clock = new FakeClock();
  const board = new DeviceBoard(clock);
  const { ports, mmio } = board;
  // The timer first: programming it raises its line, which is no tick.
  const setUp: [number, number][] = [
    [0x43, 0x34],
    [0x40, 11932 & 0xff],
    [0x40, 11932 >> 8],
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 0x04],
    [0x21, 0x03],
    [0xa0, 0x11],
    [0xa1, 0x28],
    [0xa1, 0x02],
    [0xa1, 0x03],
    [0x70, 0x0b],
    [0x71, 0x42],
  ];
  for (const [port, value] of setUp) ports.write(port, 1, value);
  mmio.write(LAPIC_PAGE + LAPIC.spurious, 4, 0x1ff);
  mmio.write(LAPIC_PAGE + LAPIC.lvtLint0, 4, 0x700);
  mmio.write(LAPIC_PAGE + LAPIC.divide, 4, 0xb);
  mmio.write(LAPIC_PAGE + LAPIC.lvtTimer, 4, 0x200ef);
  mmio.write(LAPIC_PAGE + LAPIC.initialCount, 4, APIC_HZ / 250);
  const counts = new Map<number, number>();
  while (clock.now() < SECONDS * 1e9) {
    clock.advance(100_000);
    while (board.interrupt[0]) {
      const vector = board.apics[0].acknowledge();
      counts.set(vector, (counts.get(vector) ?? 0) + 1);
      if (vector === 0xef) mmio.write(LAPIC_PAGE + LAPIC.endOfInterrupt, 4, 0);
      if (vector === 0x28) {
        ports.write(0x70, 1, 0x0c);
        ports.read(0x71, 1);
      }
    }
  }
  assert.equal(counts.get(0x20), Math.floor((SECONDS * PIT_HZ) / 11932));
  assert.equal(counts.get(0xef), SECONDS * 250);
  assert.equal(counts.get(0x28), SECONDS * 1024);
});
