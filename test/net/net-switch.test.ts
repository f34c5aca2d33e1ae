/** R3.7 The learning switch: who gets which frame, what is forgotten and what a bad port costs the others. */
import assert from "node:assert/strict";
import test from "node:test";
import { NetSwitch, type Plugged } from "../../src/net/net-switch.js";

const ALL = 0xffff_ffff_ffff;
const MINUTES = 60_000;

function frame(to: number, from: number): Uint8Array {
  const bytes = new Uint8Array(60);
  const view = new DataView(bytes.buffer);
  for (const [at, address] of [to, from].entries()) {
    view.setUint16(at * 6, Math.floor(address / 2 ** 32));
    view.setUint32(at * 6 + 2, address % 2 ** 32);
  }
  return bytes;
}

class Bench {
  now = 0;
  readonly net = new NetSwitch(() => this.now);
  readonly got: Uint8Array[][] = [];
  readonly ports: Plugged[] = [];

  constructor(ports: number) {
    for (let i = 0; i < ports; i++) this.plug(() => true);
  }

  plug(takes: () => boolean): void {
    const mine: Uint8Array[] = [];
    this.got.push(mine);
    const send = ({ bytes }: { bytes: Uint8Array }): boolean => takes() && mine.push(bytes) > 0;
    this.ports.push(this.net.plug({ send }));
  }

  /** Sends a frame into a port; gives who got one. */
  send(port: number, to: number, from: number): number[] {
    for (const one of this.got) one.length = 0;
    this.ports[port].send({ bytes: frame(to, from) });
    return this.got.flatMap((frames, index) => frames.map(() => index));
  }
}

test("R3.7 switch: what is for a group or for nobody known goes to all others, what is for a station to its port alone", () => {
  const bench = new Bench(3);
  assert.deepEqual(bench.send(0, ALL, 0x10), [1, 2]);
  assert.deepEqual(bench.send(0, 0x3333_0000_0001, 0x10), [1, 2], "a group");
  assert.deepEqual(bench.send(0, 0x20, 0x10), [1, 2], "nobody has heard it");
  assert.deepEqual(bench.send(1, 0x10, 0x20), [0]);
  assert.deepEqual(bench.send(0, 0x20, 0x10), [1]);
  assert.deepEqual(bench.send(0, 0x10, 0x10), [], "it is behind the same port");
  assert.deepEqual(bench.send(2, 0x20, 0x10), [1]);
  assert.deepEqual(bench.send(1, 0x10, 0x20), [2], "a station that moves is where it was heard last");
});

test("R3.7 switch: a station that is silent for five minutes, or whose port is gone, is looked for anew", () => {
  const bench = new Bench(3);
  bench.send(1, ALL, 0x20);
  bench.now = 5 * MINUTES;
  assert.deepEqual(bench.send(0, 0x20, 0x10), [1]);
  bench.now++;
  assert.deepEqual(bench.send(0, 0x20, 0x10), [1, 2]);
  bench.send(1, ALL, 0x20);
  bench.ports[1].unplug();
  assert.deepEqual(bench.send(0, 0x20, 0x10), [2]);
  assert.deepEqual(bench.send(1, 0x10, 0x20), [], "nobody is plugged in there");
});

test("R3.7 switch: one that makes up addresses costs itself its own, not the others theirs, and no memory", () => {
  const bench = new Bench(3);
  bench.send(1, ALL, 0x20);
  for (let i = 0; i < 5000; i++) bench.send(0, ALL, 0x0200_0000_0000 + i);
  assert.ok(bench.net.counts.stations <= 257, String(bench.net.counts.stations));
  assert.deepEqual(bench.send(2, 0x20, 0x30), [1]);
  assert.deepEqual(bench.send(1, 0x0200_0000_0000 + 4999, 0x20), [0], "its latest is known");
});

test("R3.7 switch: a port without room loses its frames, the others get theirs; each has bytes of its own", () => {
  const bench = new Bench(2);
  bench.plug(() => false);
  bench.plug(() => true);
  assert.deepEqual(bench.send(0, ALL, 0x10), [1, 3]);
  assert.equal(bench.net.counts.lost, 1);
  bench.got[1][0].fill(0);
  assert.deepEqual(bench.got[3][0], frame(ALL, 0x10));
});

test("R3.7 switch: what is for all is copied for those ports only that have room", () => {
  const bench = new Bench(1);
  let copies = 0;
  let asked = 0;
  const full = { hasRoom: (bytes: number) => (asked = bytes) < 0, send: () => assert.fail("it has no room") };
  for (let i = 0; i < 8; i++) bench.net.plug(full);
  bench.plug(() => true);
  const bytes = frame(ALL, 0x10);
  bytes.slice = () => new Uint8Array(60).fill(++copies);
  bench.ports[0].send({ bytes });
  assert.deepEqual([copies, asked, bench.net.counts.lost, bench.got[1].length], [1, 60, 8, 1]);
});

test("R3.7 switch: frames that are for the link alone, from groups, or none at all, teach nothing and go nowhere", () => {
  const bench = new Bench(2);
  assert.deepEqual(bench.send(0, 0x0180_c200_000e, 0x10), []);
  assert.deepEqual(bench.send(0, 0x20, ALL), [1]);
  assert.equal(bench.net.counts.stations, 0);
  bench.ports[0].send({ bytes: new Uint8Array(13) });
  assert.equal(bench.net.counts.stations, 0);
});
