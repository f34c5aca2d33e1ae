/** The glue logic: ports 0x61, 0x92 and 0xcf9, and the debug exit. */
import assert from "node:assert/strict";
import test from "node:test";
import { DebugExit } from "../../src/devices/power/debug-exit.js";
import type { PowerEvent } from "../../src/devices/device.js";
import { I8254 } from "../../src/devices/time/i8254.js";
import { ResetControl, SystemControlA, SystemControlB } from "../../src/devices/power/system-control.js";
import { FakeClock } from "../support/fake-clock.js";
import { RecordingLine } from "../support/recording-line.js";

function recorder(): { events: PowerEvent[]; request(event: PowerEvent): void } {
  const events: PowerEvent[] = [];
  return { events, request: (event) => events.push(event) };
}

test("port 0x61: Linux's TSC calibration: bit 0 gates timer 2, bit 5 shows its output after the count", () => {
  const clock = new FakeClock();
  const pit = new I8254(clock, clock, new RecordingLine());
  const port = new SystemControlB(clock, pit);
  port.writePort(0, 1, (port.readPort(0, 1) & ~0x02) | 0x01);
  const latch = Math.floor(1193182 / 20);
  pit.writePort(3, 1, 0xb0);
  pit.writePort(2, 1, latch & 0xff);
  pit.writePort(2, 1, latch >> 8);
  assert.equal(port.readPort(0, 1) & 0x20, 0);
  clock.advance(49_990_000);
  assert.equal(port.readPort(0, 1) & 0x20, 0);
  clock.advance(10_000);
  assert.equal(port.readPort(0, 1) & 0x20, 0x20);
});

test("port 0x61: bits 3 to 0 are kept, the refresh bit toggles, no NMI is pending", () => {
  const clock = new FakeClock();
  const port = new SystemControlB(clock, new I8254(clock, clock, new RecordingLine()));
  port.writePort(0, 1, 0xff);
  assert.equal(port.readPort(0, 1), 0x0f);
  clock.advance(15_085);
  assert.equal(port.readPort(0, 1), 0x1f);
  clock.advance(15_085);
  assert.equal(port.readPort(0, 1), 0x0f);
});

test("R3.8 port 0x92: bit 0 going up resets, bit 1 is A20", () => {
  const power = recorder();
  const a20 = new RecordingLine();
  const port = new SystemControlA(power, a20);
  assert.equal(port.readPort(0, 1), 0x02);
  assert.equal(a20.level, true);
  port.writePort(0, 1, 0x00);
  assert.equal(a20.level, false);
  port.writePort(0, 1, 0x03);
  port.writePort(0, 1, 0x03);
  assert.deepEqual(power.events, [{ kind: "reset", route: "port-92" }]);
});

test("R3.8 port 0xcf9: FreeBSD's 2 then 6, and Linux's 6 alone, reset when bit 2 goes up", () => {
  const power = recorder();
  const port = new ResetControl(power);
  port.writePort(0, 1, 0x02);
  assert.deepEqual(power.events, []);
  assert.equal(port.readPort(0, 1), 0x02);
  port.writePort(0, 1, 0x06);
  assert.deepEqual(power.events, [{ kind: "reset", route: "port-cf9" }]);
  const other = new ResetControl(power);
  other.writePort(0, 1, 0x06);
  assert.equal(power.events.length, 2);
});

test("R3.8 debug exit: the value written ends the machine, at every width", () => {
  const power = recorder();
  const port = new DebugExit(power);
  port.writePort(0, 1, 0x10);
  port.writePort(0, 4, 0x12345678);
  assert.deepEqual(power.events, [
    { kind: "debug-exit", route: "debug-exit", value: 0x10 },
    { kind: "debug-exit", route: "debug-exit", value: 0x12345678 },
  ]);
  assert.equal(port.readPort(0, 2), 0xffff);
});
