/** ACPI's fixed hardware (ACPI 6.5 §4.8.3). */
import assert from "node:assert/strict";
import test from "node:test";
import { AcpiPm, type AcpiPmState } from "../../src/devices/power/acpi-pm.js";
import type { PowerEvent } from "../../src/devices/device.js";
import { PM_TIMER } from "../../src/spec/acpi-pm.js";
import { FakeClock } from "../support/fake-clock.js";
import { RecordingLine } from "../support/recording-line.js";

class Bench {
  readonly sci = new RecordingLine();
  readonly events: PowerEvent[] = [];
  readonly pm: AcpiPm;

  constructor(
    options: { timerBits?: number } = {},
    state?: AcpiPmState,
    readonly clock = new FakeClock(),
  ) {
    const power = { request: (event: PowerEvent) => this.events.push(event) };
    this.pm = new AcpiPm({ clock, timers: clock, sci: this.sci, power, ...options }, state);
  }
}

test("R3.2 PM timer: counts 3.579545 MHz, in 32 or 24 bits", () => {
  for (const bits of [32, 24]) {
    const bench = new Bench({ timerBits: bits });
    bench.clock.advance(1_000_000_000);
    assert.equal(bench.pm.timerPorts.readPort(0, 4), PM_TIMER.hz);
    bench.clock.advance(9_000_000_000);
    assert.equal(bench.pm.timerPorts.readPort(0, 4), (10 * PM_TIMER.hz) % 2 ** bits);
    assert.equal(bench.pm.timerPorts.readPort(1, 1), ((10 * PM_TIMER.hz) >> 8) & 0xff);
    bench.pm.timerPorts.writePort(0, 4, 0);
    assert.notEqual(bench.pm.timerPorts.readPort(0, 4), 0);
  }
});

test("PM timer: a change of its highest bit sets TMR_STS, and interrupts where that is enabled", () => {
  const half = Math.ceil((2 ** 23 / PM_TIMER.hz) * 1e9);
  const bench = new Bench({ timerBits: 24 });
  bench.clock.advance(half);
  assert.equal(bench.pm.eventPorts.readPort(0, 2), 0x0001);
  assert.equal(bench.sci.level, false);
  assert.equal(bench.clock.fired, 0, "nothing is armed for a status nobody asked for");
  bench.pm.eventPorts.writePort(0, 2, 0x0001);
  bench.pm.eventPorts.writePort(2, 2, 0x0001);
  bench.clock.advance(half - 1000);
  assert.equal(bench.sci.level, false);
  bench.clock.advance(1000);
  assert.equal(bench.sci.level, true);
  bench.pm.eventPorts.writePort(0, 2, 0x0001);
  assert.equal(bench.sci.level, false);
});

test("power button: sets its status and interrupts while enabled; the guest clears it by writing one", () => {
  const bench = new Bench();
  bench.pm.pressPowerButton();
  assert.equal(bench.sci.level, false);
  bench.pm.eventPorts.writePort(3, 1, 0x01);
  assert.equal(bench.sci.level, true);
  assert.equal(bench.pm.eventPorts.readPort(0, 4), 0x01000100);
  bench.pm.eventPorts.writePort(0, 1, 0xff);
  assert.equal(bench.sci.level, true, "its bit is in the other byte");
  bench.pm.eventPorts.writePort(0, 2, 0x0100);
  assert.equal(bench.sci.level, false);
  assert.equal(bench.pm.eventPorts.readPort(0, 2), 0);
});

test("PM1 enable: reserved bits stay zero", () => {
  const bench = new Bench();
  bench.pm.eventPorts.writePort(0, 4, 0xffffffff);
  assert.equal(bench.pm.eventPorts.readPort(2, 2), 0x0721);
});

test("PM1 control: always in ACPI mode; SLP_EN and GBL_RLS read as zero", () => {
  const bench = new Bench();
  assert.equal(bench.pm.controlPorts.readPort(0, 2), 0x0001);
  bench.pm.controlPorts.writePort(0, 2, 0x0806);
  assert.equal(bench.pm.controlPorts.readPort(0, 2), 0x0803);
  bench.pm.controlPorts.writePort(0, 2, 0);
  assert.equal(bench.pm.controlPorts.readPort(0, 2), 0x0001);
});

test("R3.8 ACPI S5: the sleep type of _S5 with SLP_EN switches off, others do not", () => {
  const bench = new Bench();
  bench.pm.controlPorts.writePort(0, 2, 0x1400);
  bench.pm.controlPorts.writePort(0, 2, 0x2400);
  assert.deepEqual(bench.events, []);
  bench.pm.controlPorts.writePort(0, 2, 0x3400);
  assert.deepEqual(bench.events, [{ kind: "off", route: "acpi-s5" }]);
  bench.pm.controlPorts.writePort(1, 1, 0x34);
  assert.equal(bench.events.length, 2, "by byte as well");
});

test("ACPI 6.5 §4.8.3.1.1: a sleep state that we lack ends at once: WAK_STS is set, nothing else happens", () => {
  const bench = new Bench();
  for (const type of [0, 1, 3, 4, 7]) {
    bench.pm.controlPorts.writePort(0, 2, type << 10);
    assert.equal(bench.pm.eventPorts.readPort(0, 2), 0, "SLP_TYP alone asks for nothing");
    bench.pm.controlPorts.writePort(0, 2, 0x2000 | (type << 10));
    assert.equal(bench.pm.eventPorts.readPort(0, 2), 0x8000, `type ${type}`);
    bench.pm.eventPorts.writePort(0, 2, 0x8000);
  }
  assert.deepEqual(bench.events, []);
  assert.equal(bench.sci.level, false);
});

test("general-purpose events: status and enable of each, the SCI while both are set; a one written clears", () => {
  const bench = new Bench();
  const { generalPorts: ports } = bench.pm;
  bench.pm.raise(3);
  bench.pm.raise(12);
  assert.equal(ports.readPort(0, 4), 0x0000_1008);
  assert.equal(bench.sci.level, false, "nobody has enabled it");
  ports.writePort(3, 1, 0x10);
  assert.equal(bench.sci.level, true);
  assert.equal(ports.readPort(0, 4), 0x1000_1008);
  ports.writePort(0, 1, 0xff);
  assert.equal(bench.sci.level, true, "its bit is in the other byte");
  assert.equal(ports.readPort(0, 1), 0);
  ports.writePort(0, 2, 0xefff);
  assert.equal(bench.sci.level, true, "a zero leaves it");
  ports.writePort(1, 1, 0x10);
  assert.equal(bench.sci.level, false);
  ports.writePort(2, 2, 0xffff);
  bench.pm.raise(0);
  assert.equal(bench.sci.level, true);
  assert.equal(ports.readPort(0, 4), 0xffff_0001);
  ports.writePort(2, 2, 0);
  assert.equal(bench.sci.level, false, "no longer enabled");
  assert.equal(ports.readPort(0, 4), 1, "but not forgotten");
});

test("general-purpose events and those of fixed hardware share the SCI", () => {
  const bench = new Bench();
  bench.pm.eventPorts.writePort(2, 2, 0x0100);
  bench.pm.generalPorts.writePort(2, 2, 0x8000);
  bench.pm.pressPowerButton();
  bench.pm.raise(15);
  bench.pm.eventPorts.writePort(0, 2, 0x0100);
  assert.equal(bench.sci.level, true);
  bench.pm.generalPorts.writePort(0, 2, 0x8000);
  assert.equal(bench.sci.level, false);
});

test("there are 16 general-purpose events", () => {
  for (const event of [-1, 16, 1.5, NaN]) assert.throws(() => new Bench().pm.raise(event), RangeError);
});

test("ACPI: a block with the same state behaves the same", () => {
  const bench = new Bench();
  bench.pm.eventPorts.writePort(2, 2, 0x0100);
  bench.pm.pressPowerButton();
  bench.pm.generalPorts.writePort(2, 2, 0x0002);
  bench.pm.raise(1);
  const copy = new Bench({}, JSON.parse(JSON.stringify(bench.pm.state)) as AcpiPmState, bench.clock);
  assert.equal(copy.sci.level, true);
  assert.deepEqual(copy.pm.state, bench.pm.state);
});
