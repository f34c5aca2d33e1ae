/** R3.7 A bad line: what it does to frames, how often, when, and the same each time. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { faultsOf } from "../../src/cli/net-faults.js";
import { checkFaults, FaultyLine, type Faults } from "../../src/net/faults.js";
import { FaultyNet } from "../../src/net/faulty-net.js";
import type { NetBackend, NetFrame } from "../../src/net/net-backend.js";
import { TimedLine } from "../../src/net/timed-line.js";
import { TestClock } from "../support/net-guest.js";

const COUNT = 10_000;

/** A frame that says which it is. */
function frameOf(number: number, length = 100): NetFrame {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(20, number);
  return { bytes, verified: true };
}

function numberOf({ bytes }: NetFrame): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(20);
}

interface Passed {
  number: number;
  at: number;
  frame: NetFrame;
}

/** Frames that are sent a millisecond after each other, and when they came. */
function passed(faults: Faults, count = COUNT): Passed[] {
  const line = new FaultyLine(faults, "to-guest");
  const all: Passed[] = [];
  for (let now = 0; now < count || line.next !== undefined; now++) {
    if (now < count) line.push(frameOf(now), now);
    for (let frame = line.pull(now); frame !== undefined; frame = line.pull(now))
      all.push({ number: numberOf(frame), at: now, frame });
  }
  return all;
}

/** So many of all, give or take. */
function near(count: number, expected: number): void {
  assert.ok(Math.abs(count - expected) < expected / 5, `${count} of ${expected}`);
}

describe("R3.7 a line with", () => {
  test("no faults hands on every frame as it is, at once", () => {
    const all = passed({}, 100);
    assert.deepEqual(
      all.map(({ number, at }) => [number, at]),
      Array.from({ length: 100 }, (_, i) => [i, i]),
    );
    assert.equal(all[0].frame.verified, true);
  });

  test("loss loses so many, and duplicate repeats so many", () => {
    near(COUNT - passed({ loss: 0.1 }).length, COUNT / 10);
    near(passed({ duplicate: 0.1 }).length - COUNT, COUNT / 10);
    assert.equal(passed({ loss: 1 }).length, 0);
    assert.equal(passed({ duplicate: 1 }, 10).length, 20);
  });

  test("delay takes its time, jitter more or less of it, and nobody overtakes for that", () => {
    assert.ok(passed({ delay: 20 }, 100).every(({ number, at }) => at === number + 20));
    const all = passed({ delay: 20, jitter: 10 });
    const took = all.map(({ number, at }) => at - number);
    assert.ok(Math.min(...took) < 16 && Math.max(...took) > 25 && Math.max(...took) <= 31);
    assert.deepEqual(
      all.map(({ number }) => number),
      Array.from({ length: COUNT }, (_, i) => i),
    );
  });

  test("reorder has so many overtaken, and loses none", () => {
    const all = passed({ delay: 5, reorder: 0.1 });
    assert.equal(new Set(all.map(({ number }) => number)).size, COUNT);
    near(all.filter(({ number, at }) => at - number > 5).length, COUNT / 10);
    const behind = all.filter(({ number }, i) => i > 0 && number < all[i - 1].number);
    assert.ok(behind.length > COUNT / 20, `${behind.length}`);
  });

  test("corrupt breaks one bit of so many, behind the Ethernet header, and nobody vouches for those", () => {
    const all = passed({ corrupt: 0.1 });
    const bits = (bytes: Uint8Array): number =>
      bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    let broken = 0;
    all.forEach(({ frame }, i) => {
      const plain = frameOf(i).bytes;
      const wrong = frame.bytes.map((byte, at) => byte ^ plain[at]);
      if (frame.verified !== true) broken++;
      assert.equal(bits(wrong), frame.verified === true ? 0 : 1);
      assert.equal(bits(wrong.subarray(0, 14)), 0);
    });
    near(broken, COUNT / 10);
  });

  test("rate carries so many bits a second, one frame after the other", () => {
    const line = new FaultyLine({ rate: 100_000 }, "to-guest");
    for (let i = 0; i < 10; i++) line.push(frameOf(i, 125), 0);
    for (let i = 0; i < 10; i++) {
      assert.equal(line.pull(10 * (i + 1) - 0.01), undefined);
      assert.equal(numberOf(line.pull(10 * (i + 1))!), i);
    }
  });

  test("a seed does the same each time, another one does not, nor the other direction; the faults of a frame change none of the next", () => {
    const numbers = (faults: Faults): number[] => passed(faults, 1000).map(({ number }) => number);
    const faults = { loss: 0.1, delay: 5, jitter: 5, reorder: 0.1, duplicate: 0.1, seed: 7 };
    assert.deepEqual(numbers(faults), numbers(faults));
    assert.notDeepEqual(numbers(faults), numbers({ ...faults, seed: 8 }));
    const lost = (direction: "to-guest" | "from-guest"): boolean[] => {
      const line = new FaultyLine({ loss: 0.5 }, direction);
      return Array.from({ length: 64 }, () => {
        line.push(frameOf(0), 0);
        return line.pull(0) === undefined;
      });
    };
    assert.notDeepEqual(lost("to-guest"), lost("from-guest"));
    const [without, twice] = [numbers({ loss: 0.1 }), numbers({ loss: 0.1, duplicate: 0.5 })];
    assert.deepEqual([...new Set(twice)], without);
  });

  test("a number that makes no sense is refused by name", () => {
    for (const [faults, message] of [
      [{ loss: 1.1 }, /loss 1\.1; expected a probability/],
      [{ corrupt: -1 }, /corrupt -1/],
      [{ reorder: NaN }, /reorder NaN/],
      [{ duplicate: "1" }, /duplicate 1/],
      [{ delay: 60_001 }, /delay 60001; expected milliseconds, 0 to 60000/],
      [{ jitter: 1 }, /jitter 1; expected .* those of delay/],
      [{ delay: 5, jitter: 6 }, /jitter 6/],
      [{ rate: 999 }, /rate 999; expected bits/],
      [{ rate: Infinity }, /rate Infinity/],
      [{ seed: 0.5 }, /seed 0\.5; expected a whole/],
      [{ seed: 2 ** 32 }, /seed 4294967296/],
    ] as const)
      assert.throws(() => checkFaults(faults as Faults), message);
    assert.throws(() => new FaultyLine({ loss: 2 }, "to-guest"), RangeError);
  });
});

test("R3.7 a line holds 1000 frames or 4 MiB, and takes no more: of pieces of one segment some more, which are lost then", () => {
  const line = new FaultyLine({ delay: 100 }, "to-guest");
  let count = 0;
  for (; line.room; count++) line.push(frameOf(count), 0);
  assert.equal(count, 1000);
  for (let i = 0; i < 5000; i++) line.push(frameOf(i), 0);
  let held = 0;
  while (line.pull(100) !== undefined) held++;
  assert.equal(held, 2000);
  assert.equal(line.room, true);
  for (count = 0; line.room; count++) line.push(frameOf(count, 60_000), 0);
  assert.equal(count, Math.ceil(2 ** 22 / 60_000));
});

test("R3.7 a network behind a line: both directions take their time, and a full network is waited for", () => {
  let now = 0;
  let room = true;
  const sent: number[] = [];
  const coming: NetFrame[] = [];
  const inner: NetBackend = {
    send: (frame) => {
      if (room) sent.push(numberOf(frame));
      return room;
    },
    receive: () => coming.shift(),
  };
  const net = new FaultyNet(inner, { delay: 10 }, () => now);
  assert.deepEqual([net.up, net.next], [true, undefined]);
  assert.equal(net.send(frameOf(1)), true);
  coming.push(frameOf(2));
  assert.equal(net.receive(), undefined);
  assert.deepEqual([sent, net.next], [[], 10]);
  now = 10;
  room = false;
  assert.equal(numberOf(net.receive()!), 2);
  assert.deepEqual(sent, []);
  room = true;
  net.receive();
  assert.deepEqual(sent, [1]);
  let taken = 0;
  while (net.send(frameOf(3))) taken++;
  assert.equal(taken, 1000, "the device offers it again later");
});

test("R3.7 a line with a clock hands on by itself, waits for room, and says when it takes frames again", () => {
  const clock = new TestClock();
  const out: number[] = [];
  let [room, again] = [true, 0];
  const line = new TimedLine(
    new FaultyLine({ delay: 10 }, "to-guest"),
    clock,
    (frame) => {
      if (room) out.push(numberOf(frame));
      return room;
    },
    () => again++,
  );
  line.send(frameOf(1));
  clock.advance(9);
  line.send(frameOf(2));
  assert.deepEqual(out, []);
  clock.advance(1);
  assert.deepEqual(out, [1]);
  room = false;
  clock.advance(100);
  assert.deepEqual([out, clock.armed], [[1], 0]);
  let taken = 0;
  while (line.send(frameOf(3))) taken++;
  assert.equal(again, 0);
  room = true;
  line.room();
  assert.deepEqual([out, again], [[1, 2], 0]);
  clock.advance(10);
  assert.deepEqual([out.length, again], [2 + taken, 1]);
  line.send(frameOf(4));
  line.close();
  assert.equal(clock.armed, 0);
});

test("R3.7 --net: faults as words, and each that is wrong is named", () => {
  const words = (text: string): [string, string][] =>
    text.split(",").map((word) => word.split("=") as [string, string]);
  assert.deepEqual(
    faultsOf(words("host=yes,loss=1%,delay=20ms,jitter=0.5ms,rate=1.5mbit,seed=7,corrupt=0.1%")),
    { loss: 0.01, delay: 20, jitter: 0.5, rate: 1_500_000, seed: 7, corrupt: 0.001 },
  );
  assert.deepEqual(faultsOf(words("delay=1s,rate=1000bit")), { delay: 1000, rate: 1000 });
  assert.equal(faultsOf(words("host=yes")), undefined);
  for (const [text, message] of [
    ["loss=1", /loss=1: expected for instance loss=1%/],
    ["loss=101%", /expected a probability/],
    ["delay=20", /delay=20: expected for instance delay=20ms/],
    ["jitter=5ms", /jitter 5; expected .* delay/],
    ["rate=10", /rate=10: expected for instance rate=10mbit/],
    ["seed=x", /seed/],
  ] as const)
    assert.throws(() => faultsOf(words(text)), message, text);
});

test("R3.7 what is lost on a slow line keeps it busy for some hours at most: no time is beyond a host's timers", () => {
  const line = new FaultyLine({ rate: 1000, loss: 0.999 }, "from-guest");
  for (let i = 0; i < 20_000; i++) line.push(frameOf(i, 65_000), 0);
  let due = 0;
  for (; line.next !== undefined; line.pull(due)) due = line.next;
  assert.ok(due > 3_600_000 && due < 2 ** 31, `${due}`);
});
