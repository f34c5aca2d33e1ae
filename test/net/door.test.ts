/** R3.7 Whoever owns the network is asked about each connection that the policy allows: it goes on, is refused, or leads elsewhere. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import {
  ANSWER_MS,
  MOST_QUESTIONS,
  type ConnectAnswer,
  type ConnectAttempt,
  type OnConnect,
} from "../../src/net/door.js";
import { parseAddress } from "../../src/net/ipv4.js";
import { MOST_OPENING } from "../../src/net/tcp-nat.js";
import {
  ACK,
  GATEWAY,
  NAMESERVER,
  NetRig,
  RST,
  six,
  SYN,
  type NetRigOptions,
  type TcpEnds,
} from "../support/net-guest.js";

const REMOTE = parseAddress("192.0.2.1")!;
const ENDS = { port: 40_000, remote: REMOTE, remotePort: 80 };

/** What a promise leads to is there. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Asked {
  readonly attempts: ConnectAttempt[] = [];
  readonly rig: NetRig;

  constructor(answer: (attempt: ConnectAttempt) => unknown, options: NetRigOptions = {}) {
    const onConnect = ((attempt: ConnectAttempt) => {
      this.attempts.push(attempt);
      return answer(attempt);
    }) as OnConnect;
    this.rig = new NetRig({ ...options, onConnect });
  }

  syn(ends: TcpEnds = ENDS): this {
    this.rig.tcp(ends, { seq: 1, flags: SYN });
    return this;
  }

  /** Where the host was asked to connect to. */
  get reached(): string[] {
    return this.rig.host.connections.map(({ to }) => `${to.address}:${to.port}`);
  }

  get flags(): number[] {
    return this.rig.segments().map(({ flags }) => flags);
  }

  datagram(data = Uint8Array.of(1), remote = REMOTE): this {
    this.rig.udp(remote, 5000, data);
    return this;
  }

  get sent(): string[] {
    return this.rig.host.sockets.flatMap(({ sent }) =>
      sent.map(({ data, to }) => `${data.join()} to ${to.address}:${to.port}`),
    );
  }
}

describe("R3.7 onConnect, of TCP", () => {
  test("accept goes on as without it, refuse is a reset and no word to people, and the host is not asked", () => {
    const accepted = new Asked(() => "accept").syn();
    assert.deepEqual(accepted.attempts, [{ protocol: "tcp", address: "192.0.2.1", port: 80 }]);
    accepted.rig.host.connections[0].user.connected();
    assert.deepEqual([accepted.reached, accepted.flags], [["192.0.2.1:80"], [SYN | ACK]]);
    const refused = new Asked(() => "refuse").syn();
    assert.deepEqual([refused.reached, refused.flags, refused.rig.refused], [[], [RST | ACK], []]);
    assert.equal(refused.rig.stack.held.connections, 0);
  });

  test("a redirection leads where it says, and the guest sees whom it asked for", () => {
    const asked = new Asked(() => ({ redirect: { address: "192.0.2.9", port: 8080 } })).syn();
    asked.rig.host.connections[0].user.connected();
    const [packet] = asked.rig.packets();
    assert.deepEqual([asked.reached, packet.source], [["192.0.2.9:8080"], REMOTE]);
  });

  test("it leads past the policy only where it says so: this host, its loopback, what no allow= names", () => {
    const refused: [string, NetRigOptions, RegExp][] = [
      ["127.0.0.1", {}, /redirected to 127\.0\.0\.1:22: this is the host/],
      ["192.168.7.7", {}, /192\.168\.7\.7 is this host's/],
      ["169.254.169.254", { policy: { host: true } }, /link-local/],
      [
        "192.0.2.9",
        { policy: { host: false, only: [{ prefix: { address: REMOTE, bits: 32 } }] } },
        /nothing allows/,
      ],
      ["::1", {}, /redirected to \[::1\]:22: this is the host/],
      ["fe80::1", { policy: { host: true } }, /fe80::1 is link-local/],
      ["64:ff9b::127.0.0.1", { policy: { host: true } }, /127\.0\.0\.1, in .* is the host's loopback/],
    ];
    for (const [address, options, why] of refused) {
      const redirect = { address, port: 22 };
      const held = new Asked(() => ({ redirect }), options).syn();
      assert.deepEqual([held.reached, held.flags], [[], [RST | ACK]], address);
      assert.match(held.rig.refused.join(), why);
      const named = new Asked(() => ({ redirect, beyondPolicy: true }), options).syn();
      named.rig.host.connections[0].isOwn = true;
      named.rig.host.connections[0].user.connected();
      assert.deepEqual([named.reached, named.flags], [[`${address}:22`], [SYN | ACK]], address);
    }
    const own = new Asked(() => ({ redirect: { address: "127.0.0.1", port: 22 } }), {
      policy: { host: true },
    });
    assert.deepEqual(own.syn().reached, ["127.0.0.1:22"], "with leave to reach the host");
    const ownSix = new Asked(() => ({ redirect: { address: "::1", port: 22 } }), { policy: { host: true } });
    assert.deepEqual(ownSix.syn().reached, ["::1:22"], "and by IPv6");
  });

  test("what the policy judges is what is connected to: no number in base 8, and a zone only beyond the policy", () => {
    const led = (address: string, more: object = {}): Asked =>
      new Asked(() => ({ redirect: { address, port: 22 }, ...more })).syn();
    for (const beyondPolicy of [false, true]) {
      const octal = led("012.1.2.3", { beyondPolicy });
      assert.deepEqual(octal.reached, []);
      assert.match(octal.rig.refused.join(), /answered neither/);
    }
    const zone = led("2001:db8::1%eth0");
    assert.deepEqual(zone.reached, []);
    assert.match(
      zone.rig.refused.join(),
      /redirected to \[2001:db8::1\]:22: the zone of .*%eth0 needs beyondPolicy/,
    );
    assert.deepEqual(led("fe80::1%eth0", { beyondPolicy: true }).reached, ["fe80::1%eth0:22"]);
    assert.deepEqual(led("2606:4700:0:0::0001").reached, ["2606:4700::1:22"]);
  });

  test("a refusal names an address of IPv6 in brackets", () => {
    const asked = new Asked(() => undefined);
    asked.syn({ ...ENDS, remote: six("2606:4700::1") });
    assert.match(asked.rig.refused.join(), /^tcp \[2606:4700::1\]:80: /);
  });

  test("it is asked with the name that the guest was told, of the host with the host's, and never of what the policy refuses or of the nameserver", () => {
    const asked = new Asked(() => "accept", { policy: { host: true } });
    asked.rig.host.names.set("example.org 4", { addresses: ["192.0.2.1"], seconds: 1 });
    const question = [
      0,
      1,
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      7,
      ...Buffer.from("example"),
      3,
      ...Buffer.from("org"),
    ];
    asked.rig.udp(NAMESERVER, 53, Uint8Array.from([...question, 0, 0, 1, 0, 1]));
    asked.syn().syn({ ...ENDS, remote: GATEWAY });
    asked
      .syn({ ...ENDS, remote: NAMESERVER, remotePort: 53 })
      .syn({ ...ENDS, remote: parseAddress("127.0.0.1")! });
    assert.deepEqual(asked.attempts, [
      { protocol: "tcp", address: "192.0.2.1", port: 80, name: "example.org" },
      { protocol: "tcp", address: "10.0.2.2", port: 80, name: "host.locore" },
    ]);
    asked.rig.clock.advance(60_001);
    asked.syn({ ...ENDS, port: 40_001 });
    assert.equal(asked.attempts.at(-1)!.name, undefined, "a name that is good no more");
  });

  test("a promise is waited for; a SYN that comes again asks nobody again; a guest that gives up is not connected", async () => {
    let answer: (answer: ConnectAnswer) => void = () => undefined;
    const asked = new Asked(() => new Promise<ConnectAnswer>((resolve) => (answer = resolve)));
    asked.syn().syn();
    await settled();
    assert.deepEqual([asked.attempts.length, asked.reached], [1, []]);
    answer("accept");
    await settled();
    assert.deepEqual([asked.reached, asked.rig.clock.armed], [["192.0.2.1:80"], 0]);
    asked.syn({ ...ENDS, port: 2 });
    asked.rig.tcp({ ...ENDS, port: 2 }, { seq: 2, flags: RST });
    answer("accept");
    await settled();
    assert.equal(asked.reached.length, 1);
    assert.equal(asked.rig.stack.held.connections, 1);
  });

  test("a throw, a rejection, an answer that is none and no answer at all are refusals that are told", async () => {
    const throwIt = (what: unknown): never => {
      throw what;
    };
    const throwing = {
      get redirect() {
        return throwIt(new Error("oops"));
      },
    };
    const wrong: [() => unknown, RegExp][] = [
      [() => assert.fail("oops"), /onConnect threw: .*oops/],
      [() => Promise.reject(new Error("no")), /onConnect was rejected: Error: no/],
      [() => undefined, /answered neither/],
      [() => Promise.resolve("yes"), /answered neither/],
      [() => ({ redirect: { address: "example.org", port: 80 } }), /answered neither/],
      [() => ({ redirect: { address: "192.0.2.9", port: 65_536 } }), /answered neither/],
      [() => ({ redirect: { address: "192.0.2.9", port: 1.5 }, beyondPolicy: true }), /answered neither/],
      [() => ({ redirect: null }), /answered neither/],
      [() => throwIt(Object.create(null)), /onConnect threw: something without text/],
      [() => Promise.reject(Object.create(null) as Error), /onConnect was rejected: something without text/],
      [() => throwing, /what onConnect answered threw: Error: oops/],
      [() => Promise.resolve(throwing), /what onConnect answered threw: Error: oops/],
      [() => new Promise(() => undefined), /did not answer in 30000 ms/],
    ];
    for (const [answer, why] of wrong) {
      const asked = new Asked(answer).syn();
      await settled();
      asked.rig.clock.advance(ANSWER_MS - 1);
      asked.rig.clock.advance(1);
      assert.deepEqual([asked.reached, asked.flags], [[], [RST | ACK]], String(why));
      assert.match(asked.rig.refused.join(), why);
      assert.match(asked.rig.refused[0], /^tcp 192\.0\.2\.1:80: /);
      assert.deepEqual([asked.rig.stack.held.connections, asked.rig.clock.armed], [0, 0]);
    }
  });

  test("an answer that comes too late is none", async () => {
    let answer: (answer: ConnectAnswer) => void = () => undefined;
    const asked = new Asked(() => new Promise<ConnectAnswer>((resolve) => (answer = resolve))).syn();
    asked.rig.clock.advance(ANSWER_MS);
    answer("accept");
    await settled();
    assert.deepEqual(asked.reached, []);
  });

  test("a storm waits with 512 questions and no more; the network's end ends the waiting", async () => {
    const asked = new Asked(() => new Promise(() => undefined));
    for (let port = 1; port < 5000; port++) asked.syn({ ...ENDS, port });
    assert.equal(MOST_QUESTIONS, MOST_OPENING);
    assert.deepEqual([asked.attempts.length, asked.rig.stack.held.connections], [MOST_OPENING, MOST_OPENING]);
    asked.rig.stack.close();
    await settled();
    assert.deepEqual([asked.rig.stack.held.connections, asked.rig.clock.armed, asked.reached], [0, 0, []]);
  });
});

test("R3.7 onConnect: beyond 512 questions nobody is asked, who gives up leaves no room, and a rejection is none of the process's end", async () => {
  const wild: unknown[] = [];
  const heard = (why: unknown): void => void wild.push(why);
  process.on("unhandledRejection", heard);
  try {
    const answers: ((why: Error) => void)[] = [];
    const pending = (): Promise<never> => new Promise((_, reject) => answers.push(reject));
    const udp = new Asked(pending);
    for (let i = 0; i < 600; i++) udp.rig.udp(REMOTE + (i >> 8), 5000 + (i & 255), Uint8Array.of(1));
    assert.equal(udp.attempts.length, MOST_QUESTIONS);
    assert.match(udp.rig.refused.join(), /too many connections wait for onConnect/);
    const tcp = new Asked(pending);
    for (let port = 1; port <= 600; port++) {
      tcp.syn({ ...ENDS, port });
      tcp.rig.tcp({ ...ENDS, port }, { seq: 2, flags: RST });
    }
    assert.equal(tcp.attempts.length, MOST_QUESTIONS);
    assert.equal(tcp.rig.stack.held.connections, 0);
    for (const reject of answers) reject(new Error("no"));
    await settled();
    assert.deepEqual([wild, udp.rig.clock.armed, tcp.rig.clock.armed], [[], 1, 0]);
    tcp.syn({ ...ENDS, port: 700 });
    assert.equal(tcp.attempts.length, MOST_QUESTIONS + 1, "there is room again");
    tcp.rig.stack.close();
  } finally {
    process.off("unhandledRejection", heard);
  }
});

describe("R3.7 onConnect, of UDP", () => {
  test("each peer is asked about once, until it was idle; the guest hears from whom it sent to", () => {
    const asked = new Asked(() => "accept").datagram().datagram(Uint8Array.of(2));
    assert.deepEqual(asked.attempts, [{ protocol: "udp", address: "192.0.2.1", port: 5000 }]);
    assert.deepEqual(asked.sent, ["1 to 192.0.2.1:5000", "2 to 192.0.2.1:5000"]);
    asked.datagram(Uint8Array.of(3), parseAddress("192.0.2.2")!);
    assert.equal(asked.attempts.length, 2);
    asked.rig.clock.advance(200_000);
    assert.equal(asked.rig.stack.held.ports, 0);
    asked.datagram();
    assert.equal(asked.attempts.length, 3);
  });

  test("a refusal is told the guest by ICMP, each time", () => {
    const asked = new Asked(() => "refuse").datagram().datagram();
    assert.deepEqual(
      asked.rig.packets().map(({ protocol, payload }) => [protocol, payload[0], payload[1]]),
      [
        [1, 3, 13],
        [1, 3, 13],
      ],
    );
    assert.deepEqual([asked.sent, asked.attempts.length], [[], 1]);
  });

  test("a redirection is heard as the peer that the guest sent to", () => {
    const asked = new Asked(() => ({ redirect: { address: "192.0.2.9", port: 6000 } })).datagram();
    assert.deepEqual(asked.sent, ["1 to 192.0.2.9:6000"]);
    const [socket] = asked.rig.host.sockets;
    socket.received(Uint8Array.of(7), { address: "192.0.2.1", port: 5000 });
    assert.deepEqual(asked.rig.datagrams(), [], "nobody was sent to there");
    socket.received(Uint8Array.of(7), { address: "192.0.2.9", port: 6000 });
    const [heard] = asked.rig.datagrams();
    assert.deepEqual([heard.source, heard.sourcePort, heard.data], [REMOTE, 5000, Uint8Array.of(7)]);
    const six = new Asked(() => ({ redirect: { address: "::1", port: 1 }, beyondPolicy: true })).datagram();
    assert.match(six.rig.refused.join(), /answered neither/);
  });

  test("the first datagram waits for the answer", async () => {
    let answer: (answer: ConnectAnswer) => void = () => undefined;
    const asked = new Asked(() => new Promise<ConnectAnswer>((resolve) => (answer = resolve)));
    asked.datagram().datagram(Uint8Array.of(2));
    await settled();
    assert.deepEqual(asked.sent, []);
    answer("accept");
    await settled();
    assert.deepEqual(asked.sent, ["1 to 192.0.2.1:5000"]);
    asked.datagram(Uint8Array.of(3));
    assert.deepEqual(asked.sent, ["1 to 192.0.2.1:5000", "3 to 192.0.2.1:5000"]);
  });
});
