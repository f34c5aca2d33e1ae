/**
 * R3.7 TCP over a link that loses, repeats and overtakes, against a peer that is made of the same parts: whatever happens, the bytes
 * arrive, all of them, in their order, once. Every run is its seed's.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { TcpConnection, type TcpEnd, type TcpUser } from "../../src/net/tcp/connection.js";
import {
  FLAG,
  readSegment,
  refusal,
  segmentFrame,
  type Segment,
  type SegmentToSend,
} from "../../src/net/tcp/segment.js";
import { IPV4_PAYLOAD } from "../../src/net/ipv4.js";
import { TestClock } from "../support/net-guest.js";
import { Random, randomBytes } from "../support/random.js";

const ROUTE = { source: 1, destination: 2, protocol: 6 };

interface Faults {
  /** Of 100 segments. */
  lost: number;
  twice: number;
  late: number;
  /** The link takes so many segments a millisecond. */
  rate?: number;
}

/** One end, and what became of it. */
class End implements TcpUser {
  connection!: TcpConnection;
  readonly got: Uint8Array[] = [];
  isFinished = false;
  how: TcpEnd | undefined;
  #toSend: Uint8Array;
  #full = false;
  /** Bytes that wait to be consumed. */
  #held = 0;

  constructor(
    data: Uint8Array,
    /** Bytes that this end reads a millisecond. */
    readonly reads: number,
  ) {
    this.#toSend = data;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.got);
  }

  established(): void {
    this.say();
  }

  say(): void {
    this.#full = false;
    while (this.#toSend.length > 0 && !this.#full) {
      const piece = this.#toSend.subarray(0, 7000);
      this.#toSend = this.#toSend.subarray(piece.length);
      this.#full = !this.connection.write(piece);
    }
    if (this.#toSend.length === 0) this.connection.end();
  }

  received(bytes: Uint8Array): void {
    this.got.push(bytes);
    this.#held += bytes.length;
  }

  finished(): void {
    this.isFinished = true;
  }

  room(): void {
    this.say();
  }

  closed(how: TcpEnd): void {
    this.how = how;
  }

  read(): void {
    const count = Math.min(this.reads, this.#held);
    this.#held -= count;
    if (count > 0) this.connection.consumed(count);
  }
}

/** Both ends and the link between them. */
class Link {
  readonly clock = new TestClock();
  readonly ends: End[];
  #inFlight: { at: number; to: number; segment: Segment }[] = [];
  #room = [Infinity, Infinity];
  segments = 0;

  constructor(
    readonly random: Random,
    readonly faults: Faults,
    sides: readonly { data: Uint8Array; reads: number; mss: number }[],
  ) {
    this.ends = sides.map(({ data, reads }) => new End(data, reads));
    this.ends.forEach((end, index) => {
      end.connection = new TcpConnection({
        clock: this.clock,
        user: end,
        initial: random.below(2 ** 32),
        mss: sides[index].mss,
        link: { send: (segment) => this.#carry(1 - index, segment) },
      });
    });
  }

  #carry(to: number, said: Omit<SegmentToSend, "sourcePort" | "destinationPort">): boolean {
    if (this.#room[to] <= 0) return false;
    this.#room[to]--;
    this.segments++;
    const frame = segmentFrame(ROUTE, { ...said, sourcePort: 1, destinationPort: 2 });
    const segment = readSegment(ROUTE, frame.subarray(IPV4_PAYLOAD), false);
    assert.ok(segment, "what is sent can be read");
    const { lost, twice, late } = this.faults;
    const often = (percent: number): boolean => this.random.below(100) < percent;
    const copies = often(lost) ? 0 : often(twice) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const at = this.clock.now() + 1 + (often(late) ? this.random.below(30) : 0);
      this.#inFlight.push({ at, to, segment });
    }
    return true;
  }

  /** A millisecond. */
  step(): void {
    this.clock.advance(1);
    const now = this.clock.now();
    const here = this.#inFlight.filter(({ at }) => at <= now);
    this.#inFlight = this.#inFlight.filter(({ at }) => at > now);
    for (const { to, segment } of here) this.#deliver(to, segment);
    for (const end of this.ends) end.read();
    const { rate } = this.faults;
    if (rate === undefined) return;
    this.#room = [rate, rate];
    for (const { connection } of this.ends) connection.transmit();
  }

  #deliver(to: number, segment: Segment): void {
    const { connection } = this.ends[to];
    const opens = to === 1 && connection.state === "closed" && this.ends[1].how === undefined;
    if (opens && (segment.flags & FLAG.SYN) !== 0 && (segment.flags & FLAG.ACK) === 0)
      connection.answer(segment);
    else if (connection.state !== "closed") connection.take(segment);
    else {
      const answer = refusal(segment);
      if (answer !== undefined) this.#carry(1 - to, answer);
    }
  }

  /** Until both ends are closed; gives the milliseconds that it took. */
  run(most: number): number {
    this.ends[0].connection.open();
    const start = this.clock.now();
    while (this.ends.some(({ how }) => how === undefined) && this.clock.now() - start < most) this.step();
    return this.clock.now() - start;
  }
}

function transfer(seed: number, faults: Faults, sizes: [number, number], reads = Infinity, mss = 1460): Link {
  const random = new Random(seed);
  const sides = sizes.map((size, index) => ({ data: randomBytes(seed + index, size), reads, mss }));
  const link = new Link(random, faults, sides);
  link.run(1_000_000);
  link.ends.forEach((end, index) => {
    const expected = Buffer.from(sides[1 - index].data);
    assert.ok(end.bytes.equals(expected), `end ${index}: ${end.bytes.length} of ${expected.length} bytes`);
    assert.equal(end.isFinished, true, `end ${index} heard of the end`);
    // The last acknowledgement may be lost as often as its sender waits: then the other end hears that nobody knows it any more.
    const forgotten = faults.lost > 0 && end.how === "reset" && link.ends[1 - index].how === "done";
    if (!forgotten) assert.equal(end.how, "done", `end ${index}`);
  });
  assert.equal(link.clock.armed, 0, "no timer is left");
  return link;
}

test("R3.7 over a link without faults nothing is sent twice, and a segment of two is acknowledged", () => {
  const link = transfer(1, { lost: 0, twice: 0, late: 0 }, [2_000_000, 0]);
  const data = Math.ceil(2_000_000 / 1460);
  assert.ok(link.segments < data * 1.6, `${link.segments} segments for ${data} of data`);
});

for (const lost of [1, 3, 10])
  test(`R3.7 ${lost} % of all segments are lost, both ways: all bytes arrive`, () => {
    for (let seed = 1; seed <= 8; seed++) transfer(seed, { lost, twice: 0, late: 0 }, [300_000, 100_000]);
  });

test("R3.7 segments are lost, repeated and overtaken: all bytes arrive once and in order", () => {
  for (let seed = 1; seed <= 40; seed++)
    transfer(seed, { lost: seed % 11, twice: (seed * 7) % 20, late: (seed * 3) % 30 }, [
      40_000 + seed * 999,
      seed * 1111,
    ]);
});

test("R3.7 a reader that is slow slows the writer down, and neither loses anything", () => {
  transfer(3, { lost: 0, twice: 0, late: 0 }, [600_000, 0], 2000);
  transfer(4, { lost: 3, twice: 2, late: 5 }, [400_000, 400_000], 1500);
});

test("R3.7 a link that takes few segments at a time is waited for", () => {
  transfer(5, { lost: 0, twice: 0, late: 0, rate: 3 }, [300_000, 300_000]);
});

test("R3.7 short connections, in which the ends cross and everything may be lost, end too", () => {
  for (let seed = 1; seed <= 200; seed++)
    transfer(seed, { lost: 20, twice: 10, late: 20 }, [seed % 3, seed % 5]);
});

test("R3.7 segments of every size, from few bytes to 64 KiB", () => {
  for (const mss of [64, 536, 1460, 9000, 65_480])
    transfer(6, { lost: 2, twice: 1, late: 4 }, [200_000, 50_000], Infinity, mss);
});
