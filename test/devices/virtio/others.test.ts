/** R3.5 Entropy, console and balloon over their queues: what each does, and what a hostile driver gets from them. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Channel, PartType, Wires } from "../../../src/devices/part.js";
import { BALLOON_TARGET, virtioBalloonPart } from "../../../src/devices/virtio/balloon.js";
import { CONSOLE_SIZE, virtioConsolePart } from "../../../src/devices/virtio/console.js";
import { virtioRngPart } from "../../../src/devices/virtio/rng.js";
import { PartError } from "../../../src/devices/resources.js";
import type { Socket } from "../../../src/devices/socket.js";
import { VIRTIO_INTERRUPT, VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { VIRTIO_CONSOLE_EVENT as E, VIRTIO_CONSOLE_FEATURE } from "../../../src/spec/virtio-devices.js";
import { driverQueue, RAM_BYTES, started, VirtioBench } from "../../support/virtio-bench.js";

const DATA = 0x6_0000;

/** A bench that keeps what its device offers. */
function benchOf(type: object, config: object = {}, wires: Partial<Wires> = {}) {
  const offers = new Map<Socket<unknown>, unknown>();
  const offer = (socket: Socket<unknown>, value: unknown): void => void offers.set(socket, value);
  const more = { offer, random32: () => 0x0403_0201, ...wires } as Partial<Wires>;
  const bench = new VirtioBench(type as PartType, config as Record<string, string>, { wires: more });
  return { bench, offered: <T>(socket: Socket<T>): T => offers.get(socket as Socket<unknown>) as T };
}

test("R3.5 virtio-rng fills what there is room for, and at most 4 KiB at once", () => {
  const { bench } = benchOf(virtioRngPart);
  const queue = started(bench);
  queue.add([
    { address: DATA, length: 3, write: true },
    { address: DATA + 16, length: 4, write: true },
  ]);
  queue.add([{ address: DATA + 0x100, length: 0x3000, write: true }]);
  queue.add([{ address: DATA, length: 1 }]);
  bench.notify();
  assert.deepEqual(
    queue.used().map(({ length }) => length),
    [7, 4096, 0],
  );
  assert.deepEqual(
    [...bench.memory.view(DATA, 3)!, ...bench.memory.view(DATA + 16, 4)!],
    [1, 2, 3, 4, 1, 2, 3],
  );
});

test("R3.5 virtio-balloon: pages that were given away and pages that are free become zeros, no other byte changes", () => {
  const { bench, offered } = benchOf(virtioBalloonPart, { pages: 7 });
  const inflate = started(bench, { features: [5] });
  const reporting = driverQueue(bench, { queue: 2, base: 0x1_0000 });
  bench.memory.writable(DATA, 0x8000)!.fill(0xee);
  bench.memory.writeU32(0x5_0000, DATA / 4096 + 1);
  bench.memory.writeU32(0x5_0004, RAM_BYTES / 4096);
  bench.memory.writeU32(0x5_0008, 0xffff_ffff);
  inflate.add([{ address: 0x5_0000, length: 14 }]);
  bench.notify();
  reporting.add([{ address: DATA + 0x3000, length: 0x1800, write: true }]);
  bench.notify(2);
  assert.equal(inflate.used().length + reporting.used().length, 2);
  const left = Array.from(bench.memory.view(DATA, 0x8000)!, (byte, at) => (byte === 0 ? at : -1)).filter(
    (at) => at >= 0,
  );
  const gone = (from: number, size: number): number[] => Array.from({ length: size }, (_, at) => from + at);
  assert.deepEqual(left, [...gone(0x1000, 0x1000), ...gone(0x3000, 0x1800)]);

  assert.equal(bench.read(VIRTIO_MMIO.CONFIG), 7);
  bench.write(VIRTIO_MMIO.CONFIG + 4, 5);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG + 4), 5);
  bench.acknowledge();
  const generation = bench.read(VIRTIO_MMIO.CONFIG_GENERATION);
  offered(BALLOON_TARGET)(9);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG), 9);
  assert.equal(bench.acknowledge(), VIRTIO_INTERRUPT.CONFIG_CHANGE);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG_GENERATION), generation + 1);
});

/** The machine's console, and what a port receives by. */
function consoleWire() {
  const sent: number[] = [];
  let receive: (bytes: Uint8Array) => number = () => 0;
  let asked = 0;
  const wire: Wires["console"] = {
    transmit: (byte) => void sent.push(byte),
    receiveReady: () => void asked++,
    connect: (port) => (receive = (bytes) => port.receive(bytes)),
  };
  return { sent, wire, receive: (bytes: Uint8Array) => receive(bytes), asked: () => asked };
}

test("R3.5 virtio-console: bytes both ways, no more than there is room for, and its size", () => {
  const outside = consoleWire();
  const { bench, offered } = benchOf(virtioConsolePart, { backend: "console" }, { console: outside.wire });
  assert.equal(outside.receive(Uint8Array.of(1)), 0, "nobody listens yet");
  bench.write(VIRTIO_MMIO.CONFIG + 8, 0x41);
  assert.deepEqual(outside.sent.splice(0), [0x41], "a byte before there are queues");
  const receive = started(bench, { features: [VIRTIO_CONSOLE_FEATURE.SIZE] });
  const transmit = driverQueue(bench, { queue: 1, base: 0x1_0000 });
  receive.add([{ address: DATA, length: 3, write: true }]);
  bench.notify(0);
  assert.ok(outside.asked() > 0);
  assert.equal(outside.receive(Uint8Array.of(1, 2, 3, 4, 5)), 3);
  assert.deepEqual(receive.used(), [{ id: 0, length: 3 }]);
  assert.deepEqual([...bench.memory.view(DATA, 3)!], [1, 2, 3]);
  bench.memory.writable(DATA, 4)!.set([0, 10, 13, 255]);
  transmit.add([
    { address: DATA, length: 2 },
    { address: DATA + 2, length: 2 },
  ]);
  bench.notify(1);
  assert.deepEqual(outside.sent, [0, 10, 13, 255]);
  assert.equal(transmit.used().length, 1);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG), (25 << 16) | 80);
  bench.acknowledge();
  offered(CONSOLE_SIZE)(132, 50);
  assert.equal(bench.acknowledge(), VIRTIO_INTERRUPT.CONFIG_CHANGE);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG), (50 << 16) | 132);
});

/** A driver of control messages. */
function controlled(channel: Channel, terminal?: Channel) {
  const held = { count: 0 };
  const wires = {
    wake: {
      hold: () => {
        held.count++;
        return { release: () => void held.count-- };
      },
    },
    channel: (name: string) => ({ "a.port": channel, "a.terminal": terminal })[name],
    console: consoleWire().wire,
  };
  const config = { ports: ["a.port"], ...(terminal && { terminal: "a.terminal" }) };
  const { bench } = benchOf(virtioConsolePart, config, wires);
  const keys = started(bench, { features: [VIRTIO_CONSOLE_FEATURE.MULTIPORT] });
  const control = driverQueue(bench, { queue: 2, base: 0x1_0000, size: 16 });
  const answer = driverQueue(bench, { queue: 3, base: 0x2_0000 });
  const input = driverQueue(bench, { queue: 4, base: 0x3_0000 });
  const output = driverQueue(bench, { queue: 5, base: 0x4_0000 });
  for (let i = 0; i < 8; i++) control.add([{ address: 0x5_0000 + i * 64, length: 64, write: true }]);
  let heard = 0;
  return {
    bench,
    held,
    keys,
    input,
    output,
    say(id: number, event: number, value: number): void {
      bench.memory.writeU32(DATA, id);
      bench.memory.writeU32(DATA + 4, event | (value << 16));
      answer.add([{ address: DATA, length: 8 }]);
      bench.notify(3);
    },
    /** Messages of the device: id, event, value, and what follows. */
    messages(): [number, number, number, string][] {
      return control.used().map(({ length }) => {
        const at = 0x5_0000 + heard++ * 64;
        const tail = Buffer.from(bench.memory.view(at + 8, length - 8)!).toString("latin1");
        return [bench.memory.readU32(at), bench.memory.readU16(at + 4), bench.memory.readU16(at + 6), tail];
      });
    },
  };
}

test("R3.5 virtio-console: ports are announced, named and opened by control messages; input waits for who opens them", () => {
  const input = [Uint8Array.of(7, 8, 9)];
  const output: number[] = [];
  const one = controlled({
    write: (bytes) => output.push(...bytes),
    read: () => input.shift() ?? new Uint8Array(0),
  });
  one.say(0, E.DEVICE_READY, 1);
  assert.deepEqual(one.messages(), [
    [0, E.DEVICE_ADD, 0, ""],
    [1, E.DEVICE_ADD, 0, ""],
  ]);
  one.say(1, E.PORT_READY, 1);
  assert.deepEqual(one.messages(), [
    [1, E.PORT_OPEN, 1, ""],
    [1, E.PORT_NAME, 0, "a.port"],
  ]);
  one.say(0, E.PORT_READY, 1);
  assert.deepEqual(one.messages(), [
    [0, E.PORT_OPEN, 1, ""],
    [0, E.CONSOLE_PORT, 1, ""],
    [0, E.RESIZE, 0, "\x50\x00\x19\x00"],
  ]);
  one.bench.settle();
  assert.equal(input.length, 1, "nobody has it open");
  one.say(1, E.PORT_OPEN, 1);
  one.bench.settle();
  assert.equal(input.length, 0);
  one.input.add([{ address: DATA, length: 16, write: true }]);
  one.bench.notify(4);
  assert.deepEqual(one.input.used(), [{ id: 0, length: 3 }]);
  assert.deepEqual([...one.bench.memory.view(DATA, 3)!], [7, 8, 9]);
  one.output.add([{ address: DATA, length: 3 }]);
  one.bench.notify(5);
  assert.deepEqual(output, [7, 8, 9]);
});

test("R1.10 virtio-console: the end of a port's input is told once, behind the last byte, and again to who starts anew", () => {
  const input = [Uint8Array.of(7)];
  let open = true;
  const one = controlled({
    write: () => undefined,
    read: () => input.shift() ?? new Uint8Array(0),
    inputOpen: () => open,
  });
  for (const id of [0, 1]) one.say(id, E.PORT_READY, 1);
  one.say(1, E.PORT_OPEN, 1);
  one.messages();
  assert.equal(one.held.count, 1, "the machine waits for it");
  open = false;
  for (let i = 0; i < 3; i++) one.bench.settle();
  assert.deepEqual(one.messages(), [], "a byte is held");
  one.input.add([{ address: DATA, length: 16, write: true }]);
  one.bench.notify(4);
  for (let i = 0; i < 3; i++) one.bench.settle();
  assert.deepEqual(one.input.used(), [{ id: 0, length: 1 }]);
  assert.deepEqual(one.messages(), [[1, E.PORT_OPEN, 0, ""]]);
  assert.equal(one.held.count, 0);
});

test("R1.10 virtio-console: port 0 may be a channel of its own instead of the machine's console", () => {
  const typed = [Uint8Array.of(3)];
  const shown: number[] = [];
  const silent = { write: () => undefined, read: () => new Uint8Array(0) };
  const one = controlled(silent, {
    write: (bytes) => shown.push(...bytes),
    read: () => typed.shift() ?? new Uint8Array(0),
  });
  const screen = driverQueue(one.bench, { queue: 1, base: 0x9_0000 });
  one.say(0, E.PORT_READY, 1);
  one.say(0, E.PORT_OPEN, 1);
  one.keys.add([{ address: DATA, length: 16, write: true }]);
  one.bench.settle();
  assert.deepEqual(one.keys.used(), [{ id: 0, length: 1 }]);
  assert.deepEqual([...one.bench.memory.view(DATA, 1)!], [3]);
  screen.add([{ address: DATA, length: 1 }]);
  one.bench.notify(1);
  assert.deepEqual(shown, [3]);
  const alone = { terminal: "a.terminal" };
  assert.throws(() => benchOf(virtioConsolePart, alone, { console: consoleWire().wire }), PartError);
});

/** A channel with little room, which is not to be waited for. */
function narrow(most: number) {
  const taken: number[] = [];
  const one = { room: most, waits: false };
  const channel: Channel = {
    read: () => new Uint8Array(0),
    room: () => one.room,
    keep: (waits) => (one.waits = waits),
    write: (bytes) => {
      assert.ok(bytes.length <= one.room, "more than there is room for");
      one.room -= bytes.length;
      taken.push(...bytes);
    },
  };
  return { one, channel, taken };
}

test("R1.10 virtio-console: output that has no room stays in its queue, goes on once there is, and other ports go on meanwhile", () => {
  const { one: outside, channel, taken } = narrow(5);
  const shown: number[] = [];
  const terminal = { write: (bytes: Uint8Array) => shown.push(...bytes), read: () => new Uint8Array(0) };
  const one = controlled(channel, { ...terminal, write: (bytes) => void terminal.write(bytes) });
  const screen = driverQueue(one.bench, { queue: 1, base: 0x9_0000 });
  const sent = Array.from({ length: 12 }, (_, at) => at + 1);
  one.bench.memory.writable(DATA, 12)!.set(sent);
  for (const at of [0, 4, 8]) one.output.add([{ address: DATA + at, length: 4 }]);
  one.bench.notify(5);
  assert.deepEqual(taken, sent.slice(0, 5));
  assert.equal(one.output.used().length, 1, "the second is not done");
  assert.ok(outside.waits);
  assert.equal(one.held.count, 1, "it will go on: the machine is not at its end");
  screen.add([{ address: DATA, length: 2 }]);
  one.bench.notify(1);
  assert.deepEqual(shown, [1, 2]);
  for (let i = 0; i < 3; i++) one.bench.settle();
  one.bench.notify(5);
  assert.deepEqual(taken, sent.slice(0, 5));

  const saved = one.bench.state as { device: { ports: { sent?: number }[] } };
  assert.equal(saved.device.ports[1].sent, 1, "a copy of the machine sends the rest of it");
  outside.room = 4;
  one.bench.settle();
  assert.deepEqual(taken, sent.slice(0, 9));
  assert.equal(one.output.used().length, 1);
  outside.room = 100;
  one.bench.settle();
  assert.deepEqual(taken, sent);
  assert.equal(one.output.used().length, 1);
  assert.ok(!outside.waits);
  assert.equal(one.held.count, 0);
});

test("R1.10 virtio-console: a saved machine has the input that waits outside, if it is to, and its driver gets it unasked", () => {
  for (const inputSaved of [true, false]) {
    const input = [Uint8Array.of(7, 8, 9)];
    const read = (): Uint8Array => input.shift() ?? new Uint8Array(0);
    const one = controlled({ write: () => undefined, read, inputSaved });
    for (const [event, value] of [
      [E.PORT_READY, 1],
      [E.PORT_OPEN, 1],
    ])
      one.say(1, event, value);
    one.input.add([{ address: DATA, length: 16, write: true }]);
    one.bench.notify(4);
    const { ports } = (one.bench.state as { device: { ports: { held: Uint8Array }[] } }).device;
    assert.deepEqual([...ports[1].held], inputSaved ? [7, 8, 9] : []);
    assert.deepEqual(one.input.used(), []);
    one.bench.settle();
    assert.deepEqual(one.input.used(), [{ id: 0, length: 3 }]);
    assert.deepEqual([...one.bench.memory.view(DATA, 3)!], [7, 8, 9]);
  }
});

test("R1.10 virtio-console: a driver that takes back what waits leaves nothing waiting", () => {
  const { one: outside, channel } = narrow(0);
  const one = controlled(channel);
  one.output.add([{ address: DATA, length: 4 }]);
  one.bench.notify(5);
  assert.ok(outside.waits);
  one.bench.write(VIRTIO_MMIO.STATUS, 0);
  assert.ok(!outside.waits);
  assert.equal(one.held.count, 0);
});

test("R3.5 virtio-console: who asks without end and never listens costs no memory", () => {
  const one = controlled({ write: () => undefined, read: (limit) => new Uint8Array(limit) });
  for (let i = 0; i < 1000; i++) one.say(i % 3, E.PORT_READY, 1);
  one.say(1, E.PORT_OPEN, 1);
  for (let i = 0; i < 100; i++) one.bench.settle();
  const { device } = one.bench.state as { device: { messages: object[]; ports: { held: Uint8Array }[] } };
  assert.ok(device.messages.length <= 64);
  assert.equal(device.ports[1].held.length, 65_536);
  assert.equal(one.bench.needsReset, false);
});
