/** R3.7 The network card: frames both ways, with checksums that are made elsewhere, in one buffer and in many, and its commands. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { virtioNetPart } from "../../../src/devices/virtio/net.js";
import { PartError, Resources } from "../../../src/devices/resources.js";
import type { PartType, Wires } from "../../../src/devices/part.js";
import { sumOf } from "../../../src/net/checksum.js";
import { readPacket, writeHead } from "../../../src/net/heads.js";
import type { NetBackend, NetFrame } from "../../../src/net/net-backend.js";
import { readSegment, segmentFrame } from "../../../src/net/tcp/segment.js";
import { VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { VIRTIO_NET_FEATURE as F } from "../../../src/spec/virtio-devices.js";
import { randomBytes } from "../../support/random.js";
import { Cable } from "../../../src/net/cable.js";
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
  /** Bytes of the longest frame that there is room for. */
  room = Infinity;

  send(frame: NetFrame): boolean {
    const fits = !this.full && frame.bytes.length <= this.room;
    if (fits) this.sent.push(frame);
    return fits;
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

/** A packet of UDP between the guest, 10.0.2.15, and 192.0.2.1. */
function packetOf(guestPort: number, toGuest: boolean, mark = 0): Uint8Array {
  const ends = [
    [10, 0, 2, 15],
    [192, 0, 2, 1],
  ];
  const ports = [guestPort, 7777].map((port) => [port >> 8, port & 255]);
  if (toGuest) for (const both of [ends, ports]) both.reverse();
  const head = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, ...ends.flat(), ...ports.flat(), 0, 26, 0, 0];
  return Uint8Array.from([...MAC, ...MAC, 8, 0, ...head, mark, ...new Array<number>(17).fill(0)]);
}

describe("R3.7 pairs of queues (VIRTIO 1.2 §5.1.6.5.5)", () => {
  const PAIRS = 4;
  const MANY = { ...CONFIG, queues: PAIRS };
  const PART = { name: "one", type: "virtio-net", config: MANY };
  const BUFFER = 0x4_0000;

  class Many {
    readonly net = new TestNet();
    readonly bench: VirtioBench;
    readonly queues: DriverQueue[];
    #buffer = BUFFER;

    constructor(
      features: readonly number[] = [F.CTRL_VQ, F.MQ],
      state?: object,
      memory?: VirtioBench["memory"],
    ) {
      this.bench = new VirtioBench(TYPE, MANY, {
        wires: wiresOf(this.net),
        ...(state && { state }),
        ...(memory && { memory }),
      });
      const first = started(this.bench, { features });
      const more = Array.from({ length: 2 * PAIRS }, (_, at) =>
        driverQueue(this.bench, { queue: at + 1, base: 0x4000 * (at + 2) }),
      );
      this.queues = [first, ...more];
      this.bench.settle();
    }

    buffers(pair: number, count = 8, length = 200): void {
      for (let i = 0; i < count; i++) {
        this.queues[2 * pair].add([{ address: this.#buffer, length, write: true }]);
        this.#buffer += 0x400;
      }
      this.bench.notify(2 * pair);
    }

    send(pair: number, frame: Uint8Array): void {
      const at = DATA + pair * 0x2000;
      put(this.bench, at, new Uint8Array(12));
      put(this.bench, at + 12, frame);
      this.queues[2 * pair + 1].add([{ address: at, length: 12 + frame.length }]);
      this.bench.notify(2 * pair + 1);
    }

    command(queue: number, ...bytes: number[]): number {
      put(this.bench, DATA, bytes);
      put(this.bench, DATA + 0x1000, [0xee]);
      this.queues[queue].add([
        { address: DATA, length: bytes.length },
        { address: DATA + 0x1000, length: 1, write: true },
      ]);
      this.bench.notify(queue);
      this.queues[queue].used();
      return this.bench.memory.readU8(DATA + 0x1000);
    }

    /** How many frames each pair's receive queue has got. */
    got(): number[] {
      this.bench.settle();
      return Array.from({ length: PAIRS }, (_, pair) => this.queues[2 * pair].used().length);
    }
  }

  test("the configuration says how many there are; a card of one pair offers none", () => {
    const { bench } = new Many();
    assert.equal(bench.read(VIRTIO_MMIO.CONFIG + 8, 2), PAIRS);
    assert.equal((bench.offered[0] >>> F.MQ) & 1, 1);
    const { bench: one } = rig([]);
    assert.equal((one.offered[0] >>> F.MQ) & 1, 0);
    assert.equal(one.read(VIRTIO_MMIO.CONFIG + 8, 2), 0);
  });

  test("one pair until the driver says otherwise; a number that there is not is refused and changes nothing", () => {
    const many = new Many();
    const control = 2 * PAIRS;
    for (let pair = 0; pair < PAIRS; pair++) many.buffers(pair);
    many.send(3, packetOf(1000, false));
    many.net.coming.push({ bytes: packetOf(1000, true) });
    assert.deepEqual(many.got(), [1, 0, 0, 0]);
    for (const wrong of [[0, 0], [PAIRS + 1, 0], [0, 0x80], [2], [2, 0, 0], []])
      assert.equal(many.command(control, 4, 0, ...wrong), ERR, wrong.join());
    assert.equal(many.command(control, 4, 1, 2, 0), ERR, "another command of the class");
    many.net.coming.push({ bytes: packetOf(1000, true) });
    assert.deepEqual(many.got(), [1, 0, 0, 0]);
    assert.equal(many.command(control, 4, 0, PAIRS, 0), OK);
  });

  test("what comes of a flow goes to the pair that sent it last, and stays there", () => {
    const many = new Many();
    assert.equal(many.command(2 * PAIRS, 4, 0, PAIRS, 0), OK);
    for (let pair = 0; pair < PAIRS; pair++) many.buffers(pair);
    for (const pair of [3, 1, 2]) {
      many.send(pair, packetOf(1000, false));
      for (let i = 0; i < 3; i++) many.net.coming.push({ bytes: packetOf(1000, true, i) });
      assert.deepEqual(
        many.got(),
        [0, 1, 2, 3].map((one) => (one === pair ? 3 : 0)),
      );
    }
    many.net.coming.push({ bytes: frameOf(60) });
    assert.deepEqual(many.got(), [1, 0, 0, 0], "what is no flow comes by the first");
  });

  test("flows that were not sent yet are shared out among those in use, and no others", () => {
    const many = new Many();
    assert.equal(many.command(2 * PAIRS, 4, 0, 3, 0), OK);
    for (let pair = 0; pair < PAIRS; pair++) many.buffers(pair, 1);
    many.send(3, packetOf(1000, false));
    const got = [0, 0, 0, 0];
    for (let port = 1000; port < 1060; port++) {
      many.net.coming.push({ bytes: packetOf(port, true) });
      const pair = many.got().indexOf(1);
      got[pair]++;
      many.buffers(pair, 1);
    }
    assert.equal(got[3], 0, "of a pair that is not in use");
    assert.ok(
      got.slice(0, 3).every((count) => count > 5),
      got.join(),
    );
  });

  test("a pair that is used no more gives its buffers back, also those that had a part of a frame", () => {
    const many = new Many([F.CTRL_VQ, F.MQ, F.MRG_RXBUF]);
    assert.equal(many.command(2 * PAIRS, 4, 0, 2, 0), OK);
    many.send(1, packetOf(1000, false));
    many.buffers(1, 1, 30);
    many.net.coming.push({ bytes: packetOf(1000, true) });
    assert.deepEqual(many.got(), [0, 0, 0, 0]);
    assert.equal(many.command(2 * PAIRS, 4, 0, 1, 0), OK);
    assert.deepEqual(
      many.queues[2].used().map(({ length }) => length),
      [0],
    );
    many.buffers(0);
    many.net.coming.push({ bytes: packetOf(1000, true) });
    assert.deepEqual(many.got(), [1, 0, 0, 0]);
  });

  test("a driver without the feature has its commands in the third queue, and one pair", () => {
    const many = new Many([F.CTRL_VQ]);
    many.buffers(0);
    assert.equal(many.command(2, 4, 0, 2, 0), ERR);
    assert.equal(many.command(2, 0, 0, 1), OK);
    many.send(0, packetOf(1000, false));
    many.net.coming.push({ bytes: packetOf(1000, true) });
    assert.deepEqual(many.got(), [1, 0, 0, 0]);
    assert.equal(many.net.sent.length, 1);
    many.send(3, packetOf(1000, false));
    assert.equal(many.net.sent.length, 1, "a queue that there is not");
  });

  test("a frame that there was no room for goes when there is, whatever other pairs sent meanwhile", () => {
    const many = new Many();
    assert.equal(many.command(2 * PAIRS, 4, 0, PAIRS, 0), OK);
    const lengths = (): number[] => many.net.sent.splice(0).map(({ bytes }) => bytes.length);
    many.net.room = 1000;
    many.send(2, frameOf(5000));
    many.send(0, frameOf(4000));
    many.send(1, frameOf(60));
    many.bench.settle();
    assert.deepEqual(lengths(), [60]);
    many.net.room = 4500;
    many.bench.settle();
    assert.deepEqual(lengths(), [4000]);
    many.net.room = Infinity;
    many.bench.settle();
    assert.deepEqual(lengths(), [5000]);
    many.bench.settle();
    assert.deepEqual(lengths(), [], "each goes once");
    many.net.full = true;
    many.send(3, frameOf(70));
    const { state, memory } = many.bench;
    const net = new TestNet();
    new VirtioBench(TYPE, MANY, { wires: wiresOf(net), state, memory }).settle();
    assert.deepEqual(
      net.sent.map(({ bytes }) => bytes.length),
      [70],
      "also in a machine that was saved",
    );
  });

  test("a card goes on with its pairs and flows where it was saved; a reset begins with one pair", () => {
    const many = new Many();
    assert.equal(many.command(2 * PAIRS, 4, 0, PAIRS, 0), OK);
    many.send(2, packetOf(1000, false));
    const { state, memory } = many.bench;
    assert.deepEqual(TYPE.state!(PART, {} as never).check(state, "state"), state);
    const net = new TestNet();
    const again = new VirtioBench(TYPE, MANY, { wires: wiresOf(net), state, memory });
    many.queues[4].add([{ address: BUFFER, length: 200, write: true }]);
    again.notify(4);
    net.coming.push({ bytes: packetOf(1000, true) });
    again.settle();
    assert.equal(many.queues[4].used().length, 1);
    again.write(VIRTIO_MMIO.STATUS, 0);
    const { device } = again.state as { device: { steering: { pairs: number } } };
    assert.equal(device.steering.pairs, 1);
  });

  test("a snapshot of a card from before there were pairs is read; one whose pairs are not the card's is refused by name", () => {
    const old = rig([F.CTRL_VQ]).bench.state as { device: Record<string, unknown> };
    delete old.device["link"];
    delete old.device["announce"];
    const shape = (part: object): { check(value: unknown, path: string): unknown } =>
      TYPE.state!(part as never, {} as never);
    assert.deepEqual(shape({ ...PART, config: CONFIG }).check(old, "state"), old);
    const state = new Many().bench.state as { device: { others: unknown[]; steering: unknown } };
    const { steering, ...without } = state.device;
    const fewer = { ...state.device, others: state.device.others.slice(1) };
    assert.ok(steering);
    for (const device of [without, fewer])
      assert.throws(() => shape(PART).check({ ...state, device }, "state"), /others.*4 pairs of queues/);
    const pairs = { ...state.device, steering: { pairs: 5, sentBy: new Uint8Array(256) } };
    assert.throws(() => shape(PART).check({ ...state, device: pairs }, "state"), /steering\.pairs/);
  });

  test("a number of pairs that makes no sense is refused by name", () => {
    for (const queues of [0, 9, 1.5, "2"]) {
      const claim = new Resources([]).claimFor("eth");
      assert.throws(
        () => TYPE.place({ type: "virtio-net", name: "eth", config: { ...CONFIG, queues } }, claim),
        /queues .*1 to 8 pairs/,
      );
    }
  });
});

describe("R3.7 connections of a machine that was saved", () => {
  const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
  const [GUEST, SERVER] = [0x0a00020f, 0x0a000202];
  const SERVER_MAC = [0x52, 0x55, 10, 0, 2, 2];

  /** A segment of a connection to port 80 of the server, by the guest or by the server. */
  function segment(guestPort: number, flags: number, fromGuest = true): Uint8Array {
    const [source, destination] = fromGuest ? [GUEST, SERVER] : [SERVER, GUEST];
    const [sourcePort, destinationPort] = fromGuest ? [guestPort, 80] : [80, guestPort];
    const route = { source, destination, protocol: 6 };
    const ends = { sourcePort, destinationPort };
    const frame = segmentFrame(route, { ...ends, seq: 7, ack: 9, flags, window: 100, length: 0 });
    frame.set(fromGuest ? [...SERVER_MAC, ...MAC] : [...MAC, ...SERVER_MAC]);
    writeHead(frame, route);
    return frame;
  }

  /** What a guest that was saved after these frames is sent at first. */
  function asked(
    frames: readonly (readonly [port: number, flags: number, fromGuest?: boolean])[],
  ): Uint8Array[] {
    const { bench, transmit, receive, net } = rig([F.CTRL_VQ]);
    const buffer = (address: number): void => {
      receive.add([{ address, length: 2000, write: true }]);
    };
    for (const [port, flags, fromGuest = true] of frames) {
      const bytes = segment(port, flags, fromGuest);
      if (fromGuest) {
        put(bench, DATA, [...new Uint8Array(12), ...bytes]);
        transmit.add([{ address: DATA, length: 12 + bytes.length }]);
        bench.notify(1);
      } else {
        buffer(DATA + 0x1000);
        bench.notify(0);
        net.coming.push({ bytes });
      }
      bench.settle();
    }
    const { state, memory } = bench;
    assert.deepEqual(
      TYPE.state!({ name: "one", type: "virtio-net", config: CONFIG } as never, {} as never).check(
        state,
        "state",
      ),
      state,
    );
    receive.used();
    const again = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(new TestNet()), state, memory });
    const found: Uint8Array[] = [];
    for (let tries = 0; tries < 4; tries++) {
      put(again, DATA + 0x2000, new Uint8Array(100));
      buffer(DATA + 0x2000);
      again.notify(0);
      again.settle();
      if (receive.used().length > 0) found.push(at(again, DATA + 0x2000 + 12, 54).slice());
    }
    return found;
  }

  test("the guest is asked about each that has not ended, so that one which only waits learns that its other end is gone", () => {
    const [one, two, ...none] = asked([[4001, SYN], [4001, SYN | ACK, false], [4002, SYN | ACK], [4001, ACK]]); // prettier-ignore
    assert.deepEqual(none, []);
    for (const [frame, port] of [
      [one, 4001],
      [two, 4002],
    ] as const) {
      // prettier-ignore
      const packet = readPacket(frame)!;
      assert.deepEqual([packet.source, packet.destination], [SERVER, GUEST]);
      const { sourcePort, destinationPort, flags, data } = readSegment(packet, packet.payload, false)!;
      assert.deepEqual([sourcePort, destinationPort, flags, data.length], [80, port, ACK, 0]);
      assert.deepEqual(Array.from(frame.subarray(0, 12)), [...MAC, ...SERVER_MAC]);
    }
  });

  test("not about those that ended, by a word of both sides or a reset", () => {
    const ended = asked([[1, SYN], [1, FIN | ACK], [1, FIN | ACK, false], [2, SYN], [2, RST, false]]); // prettier-ignore
    assert.deepEqual(ended, []);
    assert.equal(asked([[1, SYN], [1, FIN | ACK]]).length, 1, "who has said all may still listen"); // prettier-ignore
  });
});

describe("R3.7 the cable (VIRTIO 1.2 §5.1.4, §5.1.6.5.4)", () => {
  const [CONFIG_CHANGE, UP, ANNOUNCE] = [2, 1, 2];
  const status = (bench: VirtioBench): number => bench.read(VIRTIO_MMIO.CONFIG + 6, 2);
  const changed = (bench: VirtioBench): boolean => {
    const found = (bench.read(VIRTIO_MMIO.INTERRUPT_STATUS) & CONFIG_CHANGE) !== 0;
    bench.write(VIRTIO_MMIO.INTERRUPT_ACK, CONFIG_CHANGE);
    return found;
  };
  /** A machine that goes on with `net`. */
  const goesOn = (net: NetBackend | undefined, { state }: VirtioBench): VirtioBench => {
    const bench = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(net), state });
    assert.deepEqual(bench.state, state, "nothing is another before it goes on");
    bench.settle();
    return bench;
  };
  const onCable = (features: readonly number[]): { bench: VirtioBench; net: TestNet; cable: Cable } => {
    const net = new TestNet();
    const cable = new Cable(net);
    const bench = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(cable) });
    started(bench, { features });
    bench.settle();
    return { bench, net, cable };
  };

  test("a cable that is pulled and put in again is an interrupt each; what is sent meanwhile is lost both ways", () => {
    const { bench, net, cable } = onCable([F.STATUS]);
    const transmit = driverQueue(bench, { queue: 1, base: 0x2_0000 });
    const send = (): void => {
      put(bench, DATA, [...new Uint8Array(12), ...frameOf(60)]);
      transmit.add([{ address: DATA, length: 72 }]);
      bench.notify(1);
    };
    assert.deepEqual([status(bench), changed(bench)], [UP, false]);
    cable.setLink(false);
    assert.equal(status(bench), UP, "not before the machine looks");
    bench.settle();
    assert.deepEqual([status(bench), changed(bench)], [0, true]);
    send();
    net.coming.push({ bytes: frameOf(60) });
    bench.settle();
    assert.deepEqual([net.sent.length, net.coming.length, transmit.used().length], [0, 0, 1]);
    assert.equal(changed(bench), false);
    cable.setLink(true);
    bench.settle();
    assert.deepEqual([status(bench), changed(bench)], [UP, true]);
    send();
    assert.equal(net.sent.length, 1);
  });

  test("a machine that goes on without a network is told that the cable is out, and with one that it is in again", () => {
    const { bench } = onCable([F.STATUS]);
    const without = goesOn(undefined, bench);
    assert.deepEqual([status(without), changed(without), without.edges], [0, true, 1]);
    const still = goesOn(undefined, without);
    assert.deepEqual([status(still), changed(still)], [0, false], "which it knows by then");
    const back = goesOn(new TestNet(), still);
    assert.deepEqual([status(back), changed(back)], [UP, true]);
  });

  test("a snapshot that says nothing of the cable had it in", () => {
    const state = onCable([F.STATUS]).bench.state as { device: { link?: boolean } };
    delete state.device.link;
    const without = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(undefined), state });
    const within = new VirtioBench(TYPE, CONFIG, { wires: wiresOf(new TestNet()), state });
    for (const bench of [without, within]) bench.settle();
    assert.deepEqual([status(without), changed(without)], [0, true]);
    assert.deepEqual([status(within), changed(within)], [UP, false]);
  });

  test("a driver that can is asked to tell a new network where it is, until it says that it knows", () => {
    const { bench } = onCable([F.STATUS, F.CTRL_VQ, F.GUEST_ANNOUNCE]);
    assert.deepEqual([status(bench), changed(bench)], [UP, false], "not where it has just begun");
    const cable = new Cable(new TestNet());
    const again = goesOn(cable, bench);
    assert.deepEqual([status(again), changed(again)], [UP | ANNOUNCE, true]);
    const control = driverQueue(again, { queue: 2, base: 0x3_0000 });
    const ask = (...bytes: number[]): number => {
      put(again, DATA, bytes);
      control.add([
        { address: DATA, length: bytes.length },
        { address: DATA + 0x1000, length: 1, write: true },
      ]);
      again.notify(2);
      control.used();
      return again.memory.readU8(DATA + 0x1000);
    };
    assert.equal(ask(3, 1), ERR);
    assert.equal(status(again), UP | ANNOUNCE);
    assert.equal(ask(3, 0), OK);
    assert.equal(status(again), UP);
    cable.setLink(false);
    again.settle();
    assert.equal(status(again), 0);
    cable.setLink(true);
    again.settle();
    assert.equal(status(again), UP | ANNOUNCE, "who knows what it was put into");
    again.write(VIRTIO_MMIO.STATUS, 0);
    assert.equal(status(again), UP);
  });
});
