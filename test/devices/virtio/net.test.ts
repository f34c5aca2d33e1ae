/** R3.7 The network card: frames both ways, with checksums that are made elsewhere, in one buffer and in many, and its commands. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { virtioNetPart } from "../../../src/devices/virtio/net.js";
import { PartError, Resources } from "../../../src/devices/resources.js";
import type { PartType, Wires } from "../../../src/devices/part.js";
import { sumOf } from "../../../src/net/checksum.js";
import type { NetBackend, NetFrame } from "../../../src/net/net-backend.js";
import { VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { VIRTIO_NET_FEATURE as F } from "../../../src/spec/virtio-devices.js";
import { randomBytes } from "../../support/random.js";
import {
  driverQueue,
  started,
  VirtioBench,
  type DriverQueue,
  type QueuePlan,
} from "../../support/virtio-bench.js";

const TYPE = virtioNetPart as unknown as PartType;
const CONFIG = { net: "net0", mac: "52:54:00:12:34:56", mtu: 1500 };
const DATA = 0x8_0000;
const [OK, ERR] = [0, 1];
const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/** A network that keeps what it is sent, and has what a test puts there. */
class TestNet implements NetBackend {
  sent: NetFrame[] = [];
  coming: NetFrame[] = [];
  full = false;

  send(frame: NetFrame): boolean {
    if (!this.full) this.sent.push(frame);
    return !this.full;
  }

  receive(): NetFrame | undefined {
    return this.coming.shift();
  }
}

interface Rig {
  bench: VirtioBench;
  net: TestNet;
  receive: DriverQueue;
  transmit: DriverQueue;
  control: DriverQueue;
}

function wiresOf(net: NetBackend | undefined): Partial<Wires> {
  return {
    net: () => net,
    wake: { hold: () => ({ release: () => undefined }) },
  } as unknown as Partial<Wires>;
}

function rig(
  features: readonly number[],
  plan: QueuePlan & { eventIndex?: boolean } = {},
  state?: object,
): Rig {
  const net = new TestNet();
  const bench = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(net), ...(state && { state }) });
  const receive = started(bench, { ...plan, features });
  const more = (queue: number): DriverQueue =>
    driverQueue(bench, { ...plan, queue, base: 0x1_0000 * (queue + 1) });
  const [transmit, control] = [more(1), more(2)];
  bench.settle();
  return { bench, net, receive, transmit, control };
}

function put(bench: VirtioBench, address: number, bytes: Uint8Array | readonly number[]): void {
  bench.memory.writable(address, bytes.length)!.set(bytes);
}

function at(bench: VirtioBench, address: number, length: number): Uint8Array {
  return bench.memory.view(address, length)!.slice();
}

function frameOf(length: number, destination: readonly number[] = MAC): Uint8Array {
  const bytes = randomBytes(length, length);
  bytes.set(destination);
  return bytes;
}

for (const layout of [
  {},
  { indirect: true },
  { packed: true },
  { eventIndex: true, packed: true, indirect: true },
]) {
  describe(`frames in queues with ${JSON.stringify(layout)}`, () => {
    test("R3.7 a frame is sent as it is, whatever pieces it and its head are in", () => {
      const { bench, net, transmit } = rig([F.MRG_RXBUF], layout);
      const frame = frameOf(1000);
      put(bench, DATA, new Uint8Array(12));
      put(bench, DATA + 12, frame);
      transmit.add([
        { address: DATA, length: 5 },
        { address: DATA + 5, length: 100 },
        { address: DATA + 105, length: 1012 - 105 },
      ]);
      bench.notify(1);
      assert.deepEqual(net.sent, [{ bytes: frame }]);
      assert.deepEqual(
        transmit.used().map(({ length }) => length),
        [0],
      );
    });

    test("R3.7 a frame lies in as many buffers as it takes, and the first says how many; the next one waits for buffers", () => {
      const { bench, net, receive } = rig([F.MRG_RXBUF], layout);
      const [first, second] = [frameOf(250), frameOf(60)];
      net.coming.push({ bytes: first }, { bytes: second });
      const buffers = [0, 0x1000, 0x2000].map((offset) => DATA + offset);
      for (const address of buffers.slice(0, 2)) receive.add([{ address, length: 100, write: true }]);
      bench.notify(0);
      bench.settle();
      assert.deepEqual(receive.used(), [], "not before all of it is there");
      receive.add([{ address: buffers[2], length: 100, write: true }]);
      bench.notify(0);
      assert.deepEqual(
        receive.used().map(({ length }) => length),
        [100, 100, 62],
      );
      assert.deepEqual([...at(bench, buffers[0], 12)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
      const got = [at(bench, buffers[0] + 12, 88), at(bench, buffers[1], 100), at(bench, buffers[2], 62)];
      assert.deepEqual(
        got.flatMap((piece) => [...piece]),
        [...first],
      );
      receive.add([{ address: DATA, length: 2000, write: true }]);
      bench.notify(0);
      assert.deepEqual(receive.used()[0].length, 72);
      assert.deepEqual(at(bench, DATA + 12, 60), second);
      assert.equal(bench.needsReset, false);
    });
  });
}

test("R3.7 a frame that lies in some buffers when the machine is saved lies in all it takes when it goes on", () => {
  const one = rig([F.MRG_RXBUF]);
  const frame = frameOf(250);
  one.net.coming.push({ bytes: frame });
  one.receive.add([{ address: DATA, length: 100, write: true }]);
  one.receive.add([{ address: DATA + 0x1000, length: 400, write: true }]);
  // The second buffer is seen later.
  one.bench.memory.writeU16(0x3000 + 2, 1);
  one.bench.settle();
  const state = one.bench.state;
  const part = { name: "one", type: "virtio-net", config: CONFIG };
  assert.deepEqual(TYPE.state!(part, {} as never).check(state, "state"), state);
  const again = new VirtioBench(TYPE, CONFIG, {
    wires: wiresOf(new TestNet()),
    state,
    memory: one.bench.memory,
  });
  again.memory.writeU16(0x3000 + 2, 2);
  again.notify(0);
  assert.deepEqual(
    one.receive.used().map(({ length }) => length),
    [100, 162],
  );
  assert.equal(again.memory.readU16(DATA + 10), 2);
  assert.deepEqual([...at(again, DATA + 12, 88), ...at(again, DATA + 0x1000, 162)], [...frame]);
});

test("R3.7 without mergeable buffers a frame lies in one, and one that is too long for it is lost and not the buffer", () => {
  const { bench, net, receive } = rig([]);
  net.coming.push({ bytes: frameOf(300) }, { bytes: frameOf(200) });
  receive.add([{ address: DATA, length: 250, write: true }]);
  bench.notify(0);
  bench.settle();
  assert.deepEqual(
    receive.used().map(({ length }) => length),
    [212],
  );
  assert.equal(bench.memory.readU16(DATA + 10), 1);
  assert.deepEqual(at(bench, DATA + 12, 200), frameOf(200));
});

test("R3.7 a checksum that the driver left out goes along; one beyond the frame costs the frame; without the feature nothing is left out", () => {
  for (const [features, start, offset, expected] of [
    [[F.CSUM], 34, 16, { start: 34, offset: 16 }],
    [[F.CSUM], 90, 9, "lost"],
    [[F.CSUM], 0xffff, 0xffff, "lost"],
    [[], 34, 16, undefined],
  ] as const) {
    const { bench, net, transmit } = rig(features);
    put(bench, DATA, [1, 0, 0, 0, 0, 0, start & 255, start >> 8, offset & 255, offset >> 8, 0, 0]);
    put(bench, DATA + 12, frameOf(100));
    transmit.add([{ address: DATA, length: 112 }]);
    bench.notify(1);
    assert.equal(transmit.used().length, 1);
    if (expected === "lost") assert.deepEqual(net.sent, []);
    else assert.deepEqual(net.sent[0].checksum, expected);
    assert.equal(bench.needsReset, false);
  }
});

test("R3.7 a checksum that the network left out the driver makes if it said that it can, and the device if not", () => {
  const received = (features: readonly number[], more: Partial<NetFrame>): Uint8Array => {
    const { bench, net, receive } = rig(features);
    net.coming.push({ bytes: frameOf(100), ...more });
    receive.add([{ address: DATA, length: 112, write: true }]);
    bench.settle();
    assert.equal(receive.used()[0].length, 112);
    return at(bench, DATA, 112);
  };
  const checksum = { start: 34, offset: 6 };
  assert.deepEqual(
    [...received([F.GUEST_CSUM], { checksum }).subarray(0, 10)],
    [1, 0, 0, 0, 0, 0, 34, 0, 6, 0],
  );
  assert.equal(received([F.GUEST_CSUM], { verified: true })[0], 2);
  assert.equal(received([F.GUEST_CSUM], {})[0], 0);
  assert.equal(received([], { verified: true })[0], 0);
  const made = received([], { checksum });
  assert.equal(made[0], 0);
  // The field held a part of the sum already: with the rest it is zero.
  const before = frameOf(100);
  const initial = (before[40] << 8) | before[41];
  assert.equal(sumOf(made, 12 + 34, 112), initial ^ 0xffff);
});

test("R3.7 while the network has no room a frame stays the driver's, and goes as soon as there is", () => {
  const { bench, net, transmit } = rig([]);
  net.full = true;
  put(bench, DATA + 12, frameOf(80));
  transmit.add([{ address: DATA, length: 92 }]);
  bench.notify(1);
  bench.settle();
  assert.deepEqual(transmit.used(), []);
  net.full = false;
  bench.settle();
  assert.equal(transmit.used().length, 1);
  assert.deepEqual(
    net.sent.map(({ bytes }) => bytes),
    [frameOf(80)],
  );
});

test("R3.7 what a driver takes no buffers for stays in the network, but for a few frames", () => {
  const { bench, net } = rig([]);
  net.coming = Array.from({ length: 1000 }, () => ({ bytes: frameOf(60) }));
  for (let i = 0; i < 20; i++) bench.settle();
  assert.equal(net.coming.length, 1000 - 64);
  const long = new Uint8Array(60_000);
  net.coming = Array.from({ length: 100 }, () => ({ bytes: long }));
  bench.write(VIRTIO_MMIO.STATUS, 0);
  started(bench);
  for (let i = 0; i < 20; i++) bench.settle();
  assert.ok(net.coming.length >= 100 - 64, "some of them at the reset, the rest 256 KiB and one turn");
});

describe("R3.7 commands", () => {
  const ask = ({ bench, control }: Rig, bytes: readonly number[]): number => {
    put(bench, DATA, bytes);
    put(bench, DATA + 0x1000, [0xee]);
    control.add([
      { address: DATA, length: bytes.length },
      { address: DATA + 0x1000, length: 1, write: true },
    ]);
    bench.notify(2);
    assert.deepEqual(
      control.used().map(({ length }) => length),
      [1],
    );
    return bench.memory.readU8(DATA + 0x1000);
  };
  /** Whether a buffer of before is still there. */
  let waiting = false;
  const hears = ({ bench, net, receive }: Rig, destination: readonly number[]): boolean => {
    net.coming.push({ bytes: frameOf(60, destination) });
    if (!waiting) receive.add([{ address: DATA + 0x2000, length: 100, write: true }]);
    bench.settle();
    waiting = receive.used().length === 0;
    return !waiting;
  };
  const OTHER = [0x52, 0x54, 0, 1, 2, 3];
  const GROUP = [0x33, 0x33, 0, 0, 0, 1];
  const ALL = [255, 255, 255, 255, 255, 255];
  const table = (...lists: number[][][]): number[] => [
    1,
    0,
    ...lists.flatMap((addresses) => [addresses.length, 0, 0, 0, ...addresses.flat()]),
  ];

  const steps: [what: string, command: number[], answer: number, hears: string][] = [
    ["everything at first", [], OK, "own other group all"],
    ["promiscuous no more", [0, 0, 0], OK, "own all"],
    ["all groups", [0, 1, 1], OK, "own group all"],
    ["no groups", [0, 3, 1], OK, "own all"],
    ["no groups off", [0, 3, 0], OK, "own group all"],
    ["all groups off", [0, 1, 0], OK, "own all"],
    ["all stations", [0, 2, 1], OK, "own other all"],
    ["no stations", [0, 4, 1], OK, "all"],
    ["no broadcasts", [0, 5, 1], OK, ""],
    ["stations and broadcasts", [0, 4, 0], OK, "own other"],
    ["broadcasts", [0, 5, 0], OK, "own other all"],
    ["all stations off", [0, 2, 0], OK, "own all"],
    ["a table", table([OTHER], [GROUP]), OK, "own other group all"],
    ["a table that ends within", table([OTHER], [GROUP]).slice(0, -1), ERR, "own other group all"],
    ["an empty table", table([], []), OK, "own all"],
    [
      "more groups than there is room for",
      table(
        [],
        Array.from({ length: 65 }, () => GROUP),
      ),
      OK,
      "own group all",
    ],
    ["an address of its own", [1, 1, ...OTHER], OK, "other group all"],
    ["a group's address as its own", [1, 1, ...GROUP], ERR, "other group all"],
    ["a mode that there is not", [0, 6, 1], ERR, "other group all"],
    ["a mode without a value", [0, 0], ERR, "other group all"],
    ["a class that was not offered", [4, 0, 1, 0], ERR, "other group all"],
  ];
  test("each is done or refused, and what is refused changes nothing", () => {
    const one = rig([F.CTRL_VQ, F.CTRL_RX, F.CTRL_MAC_ADDR]);
    const kinds = { own: MAC, other: OTHER, group: GROUP, all: ALL };
    for (const [what, bytes, answer, expected] of steps) {
      if (bytes.length > 0) assert.equal(ask(one, bytes), answer, what);
      const heard = Object.entries(kinds).filter(([, mac]) => hears(one, mac));
      assert.equal(heard.map(([name]) => name).join(" "), expected, what);
    }
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((byte) => one.bench.read(VIRTIO_MMIO.CONFIG + byte, 1)),
      OTHER,
    );
    one.bench.write(VIRTIO_MMIO.STATUS, 0);
    assert.equal(one.bench.read(VIRTIO_MMIO.CONFIG + 5, 1), MAC[5], "its own again behind a reset");
  });
});

test("R3.7 the configuration: address, link, MTU; without a network the cable is out and frames go nowhere", () => {
  const { bench } = rig([]);
  const config = Array.from({ length: 14 }, (_, byte) => bench.read(VIRTIO_MMIO.CONFIG + byte, 1));
  assert.deepEqual(config, [...MAC, 1, 0, 0, 0, 0xdc, 5, 0, 0]);
  const alone = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(undefined) });
  started(alone);
  const transmit = driverQueue(alone, { queue: 1, base: 0x2_0000 });
  assert.equal(alone.read(VIRTIO_MMIO.CONFIG + 6, 2), 0);
  transmit.add([{ address: DATA, length: 100 }]);
  alone.notify(1);
  assert.equal(transmit.used().length, 1);
});

test("R3.7 a legacy driver's head has 10 bytes, and its address is what it writes", () => {
  const net = new TestNet();
  const bench = new VirtioBench(TYPE, { ...CONFIG, version: 1 }, { wires: wiresOf(net) });
  bench.write(VIRTIO_MMIO.STATUS, 3);
  bench.write(VIRTIO_MMIO.GUEST_PAGE_SIZE, 4096);
  const base = 0x4000;
  bench.write(VIRTIO_MMIO.QUEUE_SEL, 1);
  bench.write(VIRTIO_MMIO.QUEUE_NUM, 4);
  bench.write(VIRTIO_MMIO.QUEUE_ALIGN, 4096);
  bench.write(VIRTIO_MMIO.QUEUE_PFN, base / 4096);
  bench.write(VIRTIO_MMIO.STATUS, 7);
  const { memory } = bench;
  memory.writeU64(base, DATA, 0);
  memory.writeU32(base + 8, 10 + 64);
  put(bench, DATA + 10, frameOf(64));
  memory.writeU16(base + 4 * 16 + 2, 1);
  bench.notify(1);
  assert.deepEqual(
    net.sent.map(({ bytes }) => bytes),
    [frameOf(64)],
  );
  bench.write(VIRTIO_MMIO.CONFIG + 5, 0x77, 1);
  assert.equal(bench.read(VIRTIO_MMIO.CONFIG + 5, 1), 0x77);
});

test("R3.7 hostile rings: no room for a head, buffers of a frame nobody has room for, no end of them", () => {
  const small = rig([F.MRG_RXBUF]);
  small.net.coming.push({ bytes: frameOf(60) });
  small.receive.add([{ address: DATA, length: 11, write: true }]);
  small.bench.settle();
  assert.equal(small.bench.needsReset, true);

  const headless = rig([]);
  headless.transmit.add([{ address: DATA, length: 11 }]);
  headless.bench.notify(1);
  assert.equal(headless.bench.needsReset, true);

  const long = rig([]);
  long.transmit.add([{ address: 0, length: 2 ** 20 }]);
  long.transmit.add([{ address: DATA, length: 12 + 13 }]);
  long.bench.notify(1);
  long.bench.settle();
  assert.deepEqual([long.net.sent.length, long.transmit.used().length, long.bench.needsReset], [0, 2, false]);
});

test("R3.7 buffers that are named again and again before they are given back end the driver's life, and the card can be saved", () => {
  const { bench, net, receive } = rig([F.MRG_RXBUF]);
  const sound = (): void => {
    const part = { name: "one", type: "virtio-net", config: CONFIG };
    assert.deepEqual(TYPE.state!(part, {} as never).check(bench.state, "state"), bench.state);
  };
  net.coming.push({ bytes: frameOf(60_000) });
  for (let round = 0; round < 40 && !bench.needsReset; round++) {
    for (let i = 0; i < 8; i++) receive.add([{ address: DATA, length: 20, write: true }]);
    bench.notify(0);
    bench.settle();
    sound();
  }
  assert.equal(bench.needsReset, true);
  net.coming.push({ bytes: frameOf(60) });
  bench.settle();
  sound();
});

test("R3.7 a card that makes no sense is refused by name", () => {
  for (const [config, found] of [
    [{ ...CONFIG, mac: "33:33:00:00:00:01" }, /mac "33:33/],
    [{ ...CONFIG, mac: "52:54:00:12:34" }, /mac/],
    [{ ...CONFIG, mtu: 1499 }, /mtu 1499/],
    [{ ...CONFIG, mtu: 65521 }, /mtu 65521/],
    [{ mac: CONFIG.mac, mtu: 1500 }, /net undefined/],
  ] as const) {
    const claim = new Resources([]).claimFor("eth");
    assert.throws(
      () => TYPE.place({ type: "virtio-net", name: "eth", config: config as never }, claim),
      (error: Error) => error instanceof PartError && found.test(error.message),
    );
  }
});
