/** The 8259A pair, as its data sheet describes it. */
import assert from "node:assert/strict";
import test from "node:test";
import { I8259Pair, type I8259State } from "../../src/devices/interrupts/i8259.js";
import { RecordingLine } from "../support/recording-line.js";

const [COMMAND, DATA] = [0, 1];

/** A pair, initialised as PC firmware and kernels do: vectors 0x20 and 0x28. `icw4` as given. */
function pair(icw4 = 0x01): { pic: I8259Pair; intr: RecordingLine } {
  const intr = new RecordingLine();
  const pic = new I8259Pair(intr);
  for (const [ports, base, cascade] of [
    [pic.masterPorts, 0x20, 0x04],
    [pic.slavePorts, 0x28, 0x02],
  ] as const) {
    ports.writePort(COMMAND, 1, 0x11);
    ports.writePort(DATA, 1, base);
    ports.writePort(DATA, 1, cascade);
    ports.writePort(DATA, 1, icw4);
  }
  return { pic, intr };
}

test("R1.3 i8259: uninitialised it has a BIOS's vectors, 0x08 and 0x70, as Multiboot promises", () => {
  const pic = new I8259Pair(new RecordingLine());
  pic.line(0).set(true);
  assert.equal(pic.acknowledge(), 0x08);
  const other = new I8259Pair(new RecordingLine());
  other.line(8).set(true);
  assert.equal(other.acknowledge(), 0x70);
});

function inService(pic: I8259Pair): [number, number] {
  return [pic.state.master.isr, pic.state.slave.isr];
}

test("i8259: ICW2 gives the upper five bits of the vector, the input the lower three", () => {
  const { pic, intr } = pair();
  pic.line(4).set(true);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x24);
  assert.equal(intr.level, false);
});

test("i8259: the slave's vectors come through input 2, and both chips have one in service", () => {
  const { pic } = pair();
  pic.line(12).set(true);
  assert.equal(pic.acknowledge(), 0x2c);
  assert.deepEqual(inService(pic), [0x04, 0x10]);
});

test("i8259: the lowest number has the highest priority, and nested requests preempt only upwards", () => {
  const { pic, intr } = pair();
  pic.line(5).set(true);
  assert.equal(pic.acknowledge(), 0x25);
  pic.line(6).set(true);
  assert.equal(intr.level, false);
  pic.line(1).set(true);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x21);
  pic.masterPorts.writePort(COMMAND, 1, 0x20);
  assert.deepEqual(inService(pic), [0x20, 0], "a non-specific EOI ends the highest");
  pic.masterPorts.writePort(COMMAND, 1, 0x65);
  assert.deepEqual(inService(pic), [0, 0], "a specific EOI ends the one it names");
  assert.equal(pic.acknowledge(), 0x26);
});

test("i8259: a mask holds a request back and lets it through when it is lifted", () => {
  const { pic, intr } = pair();
  pic.masterPorts.writePort(DATA, 1, 0x10);
  pic.line(4).set(true);
  assert.equal(intr.level, false);
  assert.equal(pic.masterPorts.readPort(DATA, 1), 0x10);
  assert.equal(pic.masterPorts.readPort(COMMAND, 1), 0x10, "IRR still shows it");
  pic.masterPorts.writePort(DATA, 1, 0);
  assert.equal(intr.level, true);
});

test("i8259: an edge-triggered input interrupts once per rising edge", () => {
  const { pic, intr } = pair();
  pic.line(3).set(true);
  pic.acknowledge();
  pic.masterPorts.writePort(COMMAND, 1, 0x20);
  assert.equal(intr.level, false, "the line is still up, but it did not rise again");
  pic.line(3).set(false);
  pic.line(3).set(true);
  assert.equal(pic.acknowledge(), 0x23);
});

test("i8259: an input that ELCR makes level-triggered interrupts as long as it is up", () => {
  const { pic, intr } = pair();
  pic.elcrPorts.writePort(1, 1, 0xff);
  assert.equal(pic.elcrPorts.readPort(1, 1), 0xde, "8 and 13 stay edge-triggered");
  pic.elcrPorts.writePort(0, 1, 0xff);
  assert.equal(pic.elcrPorts.readPort(0, 1), 0xf8, "0, 1 and 2 stay edge-triggered");
  pic.line(11).set(true);
  assert.equal(pic.acknowledge(), 0x2b);
  pic.slavePorts.writePort(COMMAND, 1, 0x20);
  pic.masterPorts.writePort(COMMAND, 1, 0x20);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x2b);
  pic.line(11).set(false);
  pic.slavePorts.writePort(COMMAND, 1, 0x20);
  pic.masterPorts.writePort(COMMAND, 1, 0x20);
  assert.equal(intr.level, false);
});

test("i8259: a request that goes away before the acknowledge is spurious input 7, with nothing in service", () => {
  const { pic, intr } = pair();
  pic.line(5).set(true);
  pic.line(5).set(false);
  assert.equal(intr.level, false);
  assert.equal(pic.acknowledge(), 0x27);
  assert.deepEqual(inService(pic), [0, 0]);
});

test("i8259: automatic EOI leaves nothing in service", () => {
  const { pic } = pair(0x03);
  pic.line(14).set(true);
  assert.equal(pic.acknowledge(), 0x2e);
  assert.deepEqual(inService(pic), [0, 0]);
});

test("i8259: two requests of the slave in automatic EOI are both seen", () => {
  const { pic, intr } = pair(0x03);
  pic.line(14).set(true);
  pic.line(15).set(true);
  assert.equal(pic.acknowledge(), 0x2e);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x2f);
  assert.equal(intr.level, false);
});

test("i8259: special mask mode lets lower priorities through past a masked input in service", () => {
  const { pic, intr } = pair();
  pic.line(1).set(true);
  pic.acknowledge();
  pic.masterPorts.writePort(DATA, 1, 0x02);
  pic.line(6).set(true);
  assert.equal(intr.level, false);
  pic.masterPorts.writePort(COMMAND, 1, 0x68);
  assert.equal(intr.level, true);
  pic.masterPorts.writePort(COMMAND, 1, 0x48);
  assert.equal(intr.level, false);
});

test("i8259: special fully nested mode lets a higher input of the slave preempt a lower one", () => {
  const { pic, intr } = pair(0x11);
  pic.line(14).set(true);
  pic.acknowledge();
  pic.line(9).set(true);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x29);
});

test("i8259: rotation makes the input that was served the lowest", () => {
  const { pic } = pair();
  pic.line(2 + 1).set(true);
  pic.acknowledge();
  pic.masterPorts.writePort(COMMAND, 1, 0xa0);
  pic.line(4).set(true);
  pic.line(1).set(true);
  assert.equal(pic.acknowledge(), 0x24, "after input 3 comes input 4");
  pic.masterPorts.writePort(COMMAND, 1, 0xe4);
  pic.masterPorts.writePort(COMMAND, 1, 0xc0);
  pic.line(0).set(true);
  assert.equal(pic.acknowledge(), 0x21, "set priority: input 0 is the lowest now");
});

test("i8259: a poll acknowledges and reports the input in bits 2–0, with bit 7 for a request", () => {
  const { pic, intr } = pair();
  pic.masterPorts.writePort(COMMAND, 1, 0x0c);
  assert.equal(pic.masterPorts.readPort(COMMAND, 1) & 0x80, 0);
  pic.line(6).set(true);
  pic.masterPorts.writePort(COMMAND, 1, 0x0c);
  assert.equal(pic.masterPorts.readPort(COMMAND, 1), 0x86);
  assert.equal(intr.level, false);
  pic.masterPorts.writePort(COMMAND, 1, 0x0b);
  assert.equal(pic.masterPorts.readPort(COMMAND, 1), 0x40, "ISR");
});

test("i8259: ICW1 clears masks, service and edge latches, and ICW3 and ICW4 are expected as it says", () => {
  const { pic } = pair();
  pic.masterPorts.writePort(DATA, 1, 0xff);
  pic.line(4).set(true);
  pic.masterPorts.writePort(COMMAND, 1, 0x12);
  pic.masterPorts.writePort(DATA, 1, 0x40);
  pic.masterPorts.writePort(DATA, 1, 0x55);
  assert.equal(pic.masterPorts.readPort(DATA, 1), 0x55, "single, no ICW4: the third write is the mask");
  assert.equal(pic.masterPorts.readPort(COMMAND, 1), 0, "a line that is up must rise again");
  pic.masterPorts.writePort(DATA, 1, 0);
  pic.line(4).set(false);
  pic.line(4).set(true);
  assert.equal(pic.acknowledge(), 0x44);
});

test("i8259: a chip with the same state behaves the same", () => {
  const { pic } = pair();
  pic.line(12).set(true);
  const intr = new RecordingLine();
  const copy = new I8259Pair(intr, JSON.parse(JSON.stringify(pic.state)) as I8259State);
  assert.equal(intr.level, true);
  assert.equal(copy.acknowledge(), 0x2c);
});

test("i8259: the cascade cannot be driven from outside", () => {
  const { pic } = pair();
  for (const irq of [2, -1, 16, 1.5]) assert.throws(() => pic.line(irq), RangeError);
});
