/** R3.7, R1.4 Cables: sockets with QEMU's framing, and switches that no process is started for; what a bad peer costs, and what is left behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CableNetwork } from "../../src/host/node/net/cable-network.js";
import type { CableKind } from "../../src/host/node/net/net-request.js";
import { StreamPeer } from "../../src/host/node/net/stream-peer.js";
import { encodeFrame, FrameReader } from "../../src/net/frame-stream.js";
import { wireFrame } from "../../src/net/wire-stream.js";

const PATIENCE_MS = 20_000;
const folder = mkdtempSync(path.join(os.tmpdir(), "locore-cables-"));
process.env["XDG_RUNTIME_DIR"] = folder;
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
let paths = 0;
const freshPath = (): string => path.join(folder, `s${paths++}`);

/** A guest on a cable. */
class Guest {
  readonly network: CableNetwork;
  readonly said: string[] = [];
  readonly got: Uint8Array[] = [];
  readonly #reader = new FrameReader();
  takes = true;

  constructor(cable: CableKind) {
    this.network = new CableNetwork({ mtu: 1500, cable }, { say: (line) => this.said.push(line) });
  }

  static async on(cable: CableKind): Promise<Guest> {
    const guest = new Guest(cable);
    await guest.network.opened();
    guest.network.connect((bytes) => {
      if (!guest.takes) return 0;
      guest.#reader.push(bytes.slice());
      for (let frame = guest.#reader.next(); frame !== undefined; frame = guest.#reader.next())
        guest.got.push(frame.bytes);
      return bytes.length;
    });
    return guest;
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.network.channel.output(encodeFrame({ bytes }));
  }

  /** Waits until something is so. */
  static async until(is: () => boolean, what: string): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!is()) {
      assert.ok(performance.now() < end, what);
      await sleep(5);
    }
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that are kept. */
function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A frame for all, from station `from`. */
function frame(from: number, length = 60): Uint8Array {
  const bytes = new Uint8Array(length).fill(from);
  bytes.fill(0xff, 0, 6);
  bytes.set([2, 0, 0, 0, 0, from], 6);
  return bytes;
}

const socketAt = (at: string, listen = false): CableKind => ({ kind: "socket", path: at, listen });

test("R3.7 socket: two machines, one of which listens, exchange frames; the path goes with who listened", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const b = await Guest.on(socketAt(at));
  await b.send(frame(1));
  await Guest.until(() => a.got.length === 1, "a frame from who connected");
  await a.send(frame(2, 1514));
  await Guest.until(() => b.got.length === 1, "a frame from who listens");
  assert.deepEqual([a.got[0], b.got[0]], [frame(1), frame(2, 1514)]);
  await b.network.close();
  await a.network.close();
  assert.ok(!existsSync(at));
});

test("R3.7 socket: nobody there, somebody there, and what is no socket are said with what to do", async () => {
  const at = freshPath();
  await assert.rejects(Guest.on(socketAt(at)), /nobody who listens there.*listen=yes/);
  const a = await Guest.on(socketAt(at, true));
  await assert.rejects(Guest.on(socketAt(at, true)), /somebody who listens there already/);
  await a.network.close();
  writeFileSync(at, "");
  await assert.rejects(Guest.on(socketAt(at, true)), /a file that is no socket/);
  await assert.rejects(Guest.on(socketAt(path.join(folder, "x".repeat(120)))), /too long/);
});

test("R3.7 socket: a checksum that the guest left to its card is made", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const b = await Guest.on(socketAt(at));
  const bytes = frame(1);
  await b.network.channel.output(encodeFrame({ bytes, checksum: { start: 14, offset: 16 } }));
  await Guest.until(() => a.got.length === 1, "the frame");
  // What lies at the checksum's place is the pseudo header's sum: RFC 1071's sum of all, the complement of which is put there.
  let sum = 0;
  for (let i = 14; i < 60; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const expected = bytes.slice();
  new DataView(expected.buffer).setUint16(30, ~sum & 0xffff);
  assert.deepEqual(a.got[0], expected);
  await Promise.all([a.network.close(), b.network.close()]);
});

test("R3.7 socket: a peer that sends nonsense is sent away with a word, and the next one is taken", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const bad = net.connect(at);
  bad.write(Uint8Array.of(0x7f, 0xff, 0xff, 0xff));
  await once(bad, "close");
  assert.match(a.said.join(), /a frame of 2147483647 bytes/);
  const good = net.connect(at);
  good.write(wireFrame(frame(1)));
  await Guest.until(() => a.got.length === 1, "the next peer's frame");
  good.destroy();
  await a.network.close();
});

test("R3.7 socket: a peer that goes and comes back is told of once, and frames flow again", async () => {
  const at = freshPath();
  let a = await Guest.on(socketAt(at, true));
  const b = await Guest.on(socketAt(at));
  for (let round = 0; round < 2; round++) {
    await a.network.close();
    await Guest.until(() => b.said.length > 0, "the word");
    a = await Guest.on(socketAt(at, true));
    const next = a;
    await Guest.until(() => {
      void b.send(frame(1));
      return next.got.length > 0;
    }, "frames flow again");
  }
  assert.equal(b.said.length, 1);
  assert.match(b.said[0], /the peer is gone/);
  await Promise.all([a.network.close(), b.network.close()]);
});

test("R3.7 socket: a guest without room holds its peer back; nothing is lost, and little is kept", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  a.takes = false;
  const peer = net.connect(at);
  const frames = 4000;
  for (let i = 0; i < frames; i++) peer.write(wireFrame(frame(i % 200, 1514)));
  await sleep(100);
  assert.ok(peer.writableLength > 1_000_000, "most of it is still the peer's");
  a.takes = true;
  a.network.channel.onRoom?.();
  await Guest.until(() => a.got.length === frames, "all of them");
  peer.destroy();
  await a.network.close();
});

test("R3.7 socket: what a guest sends last, before its machine ends, is with its peer", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const b = await Guest.on(socketAt(at));
  for (let i = 0; i < 100; i++) void b.send(frame(i, 1514));
  await b.network.close();
  await Guest.until(() => a.got.length === 100, "all of them");
  await a.network.close();
});

test("R3.7 socket: a peer that takes nothing costs the guest frames, not memory, and no more than a moment", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const peer = net.connect(at).pause();
  await once(peer, "connect");
  const begun = performance.now();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 4000; i++) await a.send(frame(1, 60_000));
  assert.ok(process.memoryUsage().arrayBuffers - before < 100 * 2 ** 20);
  assert.ok(performance.now() - begun < PATIENCE_MS, "4000 frames were taken from the guest");
  peer.destroy();
  await a.network.close();
});

test("R3.7 socket: a peer that is slow holds the guest back, however long that takes", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  const peer = net.connect(at);
  let got = 0;
  peer.on("data", (bytes) => {
    got += bytes.length;
    // 64 KiB at a time: a quarter of a MiB takes longer than a peer may take nothing.
    peer.pause();
    setTimeout(() => peer.resume(), 300);
  });
  await once(peer, "connect");
  let sent = 0;
  const end = performance.now() + 2000;
  const length = 20_000;
  while (performance.now() < end) {
    sent += length;
    await a.send(frame(1, length));
    // What the host's own buffers hold is beyond the 256 KiB.
    assert.ok(
      sent - got < 900_000,
      `${sent - got} bytes were taken from the guest that its peer does not have`,
    );
  }
  assert.ok(got > 200_000, "it is slow, not stuck");
  peer.destroy();
  await a.network.close();
});

test("R3.7 socket: many small frames that wait for a peer are no more than their bytes", async () => {
  const at = freshPath();
  const server = net.createServer((socket) => socket.pause()).listen(at);
  await once(server, "listening");
  const peer = new StreamPeer(net.connect(at), { frame: () => true, gone: () => undefined });
  const before = memory();
  let taken = 0;
  while (peer.send(frame(1))) taken++;
  assert.equal(taken, Math.floor((2 ** 20 - 60) / 64) + 1);
  assert.ok(memory() - before < 2 * 2 ** 20, `${memory() - before} bytes`);
  await peer.close();
  server.close();
});

test("R3.7 socket: peers that send nonsense of many kinds are told of once", async () => {
  const at = freshPath();
  const a = await Guest.on(socketAt(at, true));
  for (let i = 0; i < 20; i++) {
    const bad = net.connect(at);
    bad.write(Uint8Array.of(0x7f, 0xff, 0xff, i));
    await once(bad, "close");
  }
  assert.equal(a.said.length, 1);
  await a.network.close();
});

const switchOf = (name: string): CableKind => ({ kind: "switch", name });

test("R3.7 switch: machines that name the same one share an Ethernet; another name is another", async () => {
  const [a, b, c] = [
    await Guest.on(switchOf("one")),
    await Guest.on(switchOf("one")),
    await Guest.on(switchOf("one")),
  ];
  const other = await Guest.on(switchOf("two"));
  await Guest.until(() => {
    void b.send(frame(2));
    return a.got.length > 0 && c.got.length > 0;
  }, "all others have it");
  await sleep(50);
  for (const one of [a, b, c]) one.got.length = 0;
  const toB = frame(1);
  toB.set([2, 0, 0, 0, 0, 2]);
  await a.send(toB);
  await Guest.until(() => b.got.length === 1, "the station has it");
  await sleep(50);
  assert.deepEqual([a.got.length, b.got.length, c.got.length, other.got.length], [0, 1, 0, 0]);
  await Promise.all([a, b, c, other].map((one) => one.network.close()));
  assert.ok(!existsSync(path.join(folder, "locore/switch-one.sock")));
});

test("R3.7 switch: when the machine that has it ends, another one has it, and frames flow again", async () => {
  const [a, b, c] = [
    await Guest.on(switchOf("one")),
    await Guest.on(switchOf("one")),
    await Guest.on(switchOf("one")),
  ];
  await a.network.close();
  await Guest.until(() => {
    void b.send(frame(2));
    return c.got.length > 0;
  }, "frames flow again");
  assert.deepEqual([...b.said, ...c.said], []);
  await Promise.all([b, c].map((one) => one.network.close()));
});

test("R3.7 switch: a station that sends nonsense is sent away, one that takes nothing loses frames; the others go on", async () => {
  const [a, b] = [await Guest.on(switchOf("bad")), await Guest.on(switchOf("bad"))];
  const at = path.join(folder, "locore/switch-bad.sock");
  const bad = net.connect(at);
  bad.write(new Uint8Array(4).fill(0xff));
  await once(bad, "close");
  assert.match(a.said.join(), /switch bad: a station sends a frame of 4294967295 bytes/);
  const stuck = net.connect(at).pause();
  await once(stuck, "connect");
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2000; i++) await a.send(frame(1, 20_000));
  await Guest.until(() => b.got.length > 0, "frames come");
  b.got.length = 0;
  assert.ok(process.memoryUsage().arrayBuffers - before < 100 * 2 ** 20);
  await Guest.until(() => {
    void a.send(frame(1));
    return b.got.some(({ length }) => length === 60);
  }, "and go on coming");
  stuck.destroy();
  await Promise.all([a, b].map((one) => one.network.close()));
});

test("R3.7 switch: who has it tells once of stations that send nonsense", async () => {
  const a = await Guest.on(switchOf("often"));
  for (let i = 0; i < 20; i++) {
    const bad = net.connect(path.join(folder, "locore/switch-often.sock"));
    bad.write(Uint8Array.of(0x7f, 0xff, 0xff, i));
    await once(bad, "close");
  }
  assert.equal(a.said.length, 1);
  await a.network.close();
});

test("R3.7 switch: a machine that is sent away again and again says so, once", async () => {
  const full = net
    .createServer((socket) => socket.destroy())
    .listen(path.join(folder, "locore/switch-full.sock"));
  await once(full, "listening");
  const a = await Guest.on(switchOf("full"));
  await Guest.until(() => a.said.length > 0, "the word");
  await sleep(1200);
  assert.equal(a.said.length, 1);
  assert.match(a.said[0], /switch full: it sends this machine away/);
  await a.network.close();
  full.close();
});

test(
  "R3.7 switch: a session's folder that others may write to is another's, and not taken",
  { skip: process.platform === "win32" },
  async () => {
    const open = mkdtempSync(path.join(os.tmpdir(), "locore-others-"));
    chmodSync(open, 0o777);
    process.env["XDG_RUNTIME_DIR"] = open;
    try {
      const a = await Guest.on(switchOf(`others-${process.pid}`));
      assert.equal(existsSync(path.join(open, "locore")), false);
      await a.network.close();
    } finally {
      process.env["XDG_RUNTIME_DIR"] = folder;
      rmSync(open, { recursive: true });
    }
  },
);

test(
  "R3.7 switch: a folder that others may enter is not believed",
  { skip: process.platform === "win32" },
  async () => {
    const open = mkdtempSync(path.join(os.tmpdir(), "locore-open-"));
    mkdirSync(path.join(open, "locore"));
    chmodSync(path.join(open, "locore"), 0o755);
    process.env["XDG_RUNTIME_DIR"] = open;
    try {
      await assert.rejects(Guest.on(switchOf("x")), /found mode 755; expected a folder of this user's alone/);
    } finally {
      process.env["XDG_RUNTIME_DIR"] = folder;
      rmSync(open, { recursive: true });
    }
  },
);

test(
  "R3.7 switch: a folder that goes while machines are on a switch is made anew, and not believed where it is others'",
  { skip: process.platform === "win32" },
  async () => {
    const runtime = mkdtempSync(path.join(os.tmpdir(), "locore-gone-"));
    const own = path.join(runtime, "locore");
    process.env["XDG_RUNTIME_DIR"] = runtime;
    try {
      const [a, b] = [await Guest.on(switchOf("gone")), await Guest.on(switchOf("gone"))];
      const flows = async (): Promise<void> => {
        b.got.length = 0;
        await Guest.until(() => {
          void a.send(frame(1));
          return b.got.length > 0;
        }, "frames flow");
      };
      await flows();
      rmSync(own, { recursive: true });
      await Guest.until(() => existsSync(path.join(own, "switch-gone.sock")), "the switch is there again");
      await flows();
      // Somebody else's by now, and a switch in it that takes whoever comes.
      rmSync(own, { recursive: true });
      mkdirSync(own);
      chmodSync(own, 0o777);
      let visits = 0;
      const other = net.createServer(() => visits++).listen(path.join(own, "switch-gone.sock"));
      await Guest.until(() => a.said.length > 0 && b.said.length > 0, "the word");
      assert.match(a.said.join() + b.said.join(), /mode 777/);
      assert.equal(visits, 0, "nobody went there");
      other.close();
      await Promise.all([a, b].map((one) => one.network.close()));
    } finally {
      process.env["XDG_RUNTIME_DIR"] = folder;
      rmSync(runtime, { recursive: true, force: true });
    }
  },
);

const MODULE = new URL("../../src/host/node/net/cable-network.js", import.meta.url).href;

/** A process that has a cable, and is killed. */
async function leftBehind(cable: CableKind, meanwhile: () => Promise<void>): Promise<void> {
  const script = `import { CableNetwork } from ${JSON.stringify(MODULE)};
const network = new CableNetwork({ mtu: 1500, cable: ${JSON.stringify(cable)} }, { say() {} });
await network.opened();
process.stdout.write("there");
setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await meanwhile();
  child.kill("SIGKILL");
  await once(child, "close");
}

test("R1.4 socket: the path that a killed process left is the next one's", async () => {
  const at = freshPath();
  await leftBehind(socketAt(at, true), async () => {
    await assert.rejects(Guest.on(socketAt(at, true)), /already/);
  });
  assert.ok(existsSync(at), "it was left");
  const a = await Guest.on(socketAt(at, true));
  await a.network.close();
  assert.ok(!existsSync(at));
});

test("R1.4 switch: machines go on by a switch of their own when the one that had it is killed, however many there are", async () => {
  const guests: Guest[] = [];
  await leftBehind(switchOf("kill"), async () => {
    for (let i = 0; i < 6; i++) guests.push(await Guest.on(switchOf("kill")));
    await Guest.until(() => {
      void guests[0].send(frame(1));
      return guests.slice(1).every((one) => one.got.length > 0);
    }, "all are on it");
  });
  for (const guest of guests) guest.got.length = 0;
  await Guest.until(() => {
    void guests[0].send(frame(1));
    return guests.slice(1).every((one) => one.got.length > 0);
  }, "all are on one again");
  await Promise.all(guests.map((one) => one.network.close()));
});
