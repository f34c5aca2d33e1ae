/** The keyboard controller: its commands, and that drivers' probes end at once. */
import assert from "node:assert/strict";
import test from "node:test";
import type { PowerEvent } from "../../src/devices/device.js";
import { I8042, initialI8042State, type I8042State } from "../../src/devices/keyboard/i8042.js";
import { RecordingLine } from "../support/recording-line.js";

class Bench {
  readonly keyboardIrq = new RecordingLine();
  readonly auxiliaryIrq = new RecordingLine();
  readonly a20 = new RecordingLine();
  readonly events: PowerEvent[] = [];
  readonly device: I8042;

  constructor(state: I8042State = initialI8042State()) {
    const power = { request: (event: PowerEvent) => this.events.push(event) };
    this.device = new I8042({ ...this.lines(), power }, state);
  }

  private lines(): { keyboardIrq: RecordingLine; auxiliaryIrq: RecordingLine; a20: RecordingLine } {
    const { keyboardIrq, auxiliaryIrq, a20 } = this;
    return { keyboardIrq, auxiliaryIrq, a20 };
  }

  command(value: number, ...data: number[]): void {
    this.device.commandPort.writePort(0, 1, value);
    for (const byte of data) this.data(byte);
  }

  data(value: number): void {
    this.device.dataPort.writePort(0, 1, value);
  }

  status(): number {
    return this.device.commandPort.readPort(0, 1);
  }

  /** Everything in the output buffer. */
  output(): number[] {
    const bytes: number[] = [];
    while (this.status() & 0x01) bytes.push(this.device.dataPort.readPort(0, 1));
    return bytes;
  }
}

test("i8042: nothing waits at power-on, so that a driver's flush ends", () => {
  const bench = new Bench();
  assert.equal(bench.status(), 0x14);
  assert.deepEqual(bench.output(), []);
});

test("i8042: self test and keyboard test pass, the auxiliary test says that nothing is there", () => {
  const bench = new Bench();
  bench.command(0xaa);
  assert.deepEqual(bench.output(), [0x55]);
  bench.command(0xab);
  assert.deepEqual(bench.output(), [0x00]);
  bench.command(0xa9);
  assert.deepEqual(bench.output(), [0x01]);
  bench.command(0xc0);
  assert.deepEqual(bench.output(), [0x80]);
});

test("i8042: Linux's auxiliary loop test gets its byte back, but not as the auxiliary device's", () => {
  const bench = new Bench();
  bench.command(0xd3, 0x5a);
  assert.equal(bench.status() & 0x21, 0x01);
  assert.deepEqual(bench.output(), [0x5a]);
});

test("i8042: a byte for the missing mouse times out at once", () => {
  const bench = new Bench();
  bench.command(0x60, 0x47);
  bench.command(0xd4, 0xf2);
  assert.equal(bench.status() & 0x61, 0x61);
  assert.equal(bench.auxiliaryIrq.level, true);
  assert.deepEqual(bench.output(), [0xfe]);
  assert.equal(bench.auxiliaryIrq.level, false);
});

test("i8042: the command byte and the rest of the RAM are read and written", () => {
  const bench = new Bench();
  bench.command(0x20);
  assert.deepEqual(bench.output(), [0x65]);
  bench.command(0x60, 0x30);
  bench.command(0x20);
  assert.deepEqual(bench.output(), [0x30]);
  bench.command(0x7f, 0xa5);
  bench.command(0x3f);
  assert.deepEqual(bench.output(), [0xa5]);
  bench.command(0xae);
  bench.command(0xa8);
  bench.command(0x20);
  assert.deepEqual(bench.output(), [0x00]);
  bench.command(0xad);
  bench.command(0xa7);
  bench.command(0x20);
  assert.deepEqual(bench.output(), [0x30]);
});

test("i8042: a keyboard answers what drivers ask, with an interrupt per byte", () => {
  const bench = new Bench();
  bench.data(0xf2);
  assert.equal(bench.keyboardIrq.level, true);
  assert.deepEqual(bench.output(), [0xfa, 0xab, 0x41], "translated");
  assert.equal(bench.keyboardIrq.rises, 3);
  bench.command(0x60, 0x00);
  bench.keyboardIrq.rises = 0;
  bench.data(0xf2);
  assert.deepEqual(bench.output(), [0xfa, 0xab, 0x83]);
  assert.equal(bench.keyboardIrq.rises, 0, "interrupts are off");
  bench.data(0xff);
  assert.deepEqual(bench.output(), [0xfa, 0xaa]);
  bench.data(0xed);
  bench.data(0x07);
  assert.deepEqual(bench.output(), [0xfa, 0xfa]);
  bench.data(0xf0);
  bench.data(0x00);
  assert.deepEqual(bench.output(), [0xfa, 0xfa, 0x02]);
  for (const command of [0xf4, 0xf5, 0xf6, 0xfa]) bench.data(command);
  assert.deepEqual(bench.output(), [0xfa, 0xfa, 0xfa, 0xfa]);
  bench.data(0xee);
  bench.data(0xfe);
  assert.deepEqual(bench.output(), [0xee, 0xee], "echo, and again");
  bench.data(0x01);
  assert.deepEqual(bench.output(), [0xfe], "what it does not know is to be sent again");
});

test("i8042: without a keyboard a byte for it times out at once", () => {
  const bench = new Bench(initialI8042State(false));
  bench.data(0xff);
  assert.equal(bench.status() & 0x41, 0x41);
  assert.deepEqual(bench.output(), [0xfe]);
});

test("i8042: the output buffer is bounded", () => {
  const bench = new Bench();
  for (let i = 0; i < 1000; i++) bench.data(0xee);
  assert.equal(bench.output().length, 16);
});

test("R3.8 i8042: command 0xfe, or another pulse of output bit 0, resets", () => {
  const bench = new Bench();
  bench.command(0xff);
  assert.deepEqual(bench.events, []);
  bench.command(0xfe);
  bench.command(0xf0);
  assert.deepEqual(bench.events, [
    { kind: "reset", route: "i8042" },
    { kind: "reset", route: "i8042" },
  ]);
});

test("R3.8 i8042: the output port resets by bit 0 low and gates A20 by bit 1", () => {
  const bench = new Bench();
  assert.equal(bench.a20.level, true);
  bench.command(0xdd);
  assert.equal(bench.a20.level, false);
  bench.command(0xd0);
  assert.deepEqual(bench.output(), [0xcd]);
  bench.command(0xdf);
  assert.equal(bench.a20.level, true);
  bench.command(0xd1, 0xdd);
  assert.equal(bench.a20.level, false);
  assert.deepEqual(bench.events, []);
  bench.command(0xd1, 0xde);
  assert.deepEqual(bench.events, [{ kind: "reset", route: "i8042-output-port" }]);
});

test("i8042: a controller with the same state behaves the same", () => {
  const bench = new Bench();
  bench.data(0xf2);
  const copy = new Bench(JSON.parse(JSON.stringify(bench.device.state)) as I8042State);
  assert.equal(copy.keyboardIrq.level, true);
  assert.deepEqual(copy.output(), bench.output());
});
