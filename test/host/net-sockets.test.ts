/** The sockets of the user-mode network on a real host: none is left over, and no failure of one is anybody else's (R3.7). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import dgram from "node:dgram";
import net, { type AddressInfo } from "node:net";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { ask, lookup } from "../../src/host/node/net/names.js";
import { NodeSockets } from "../../src/host/node/net/sockets.js";
import { connectTcp, TcpListener } from "../../src/host/node/net/tcp-sockets.js";
import { UdpSocket } from "../../src/host/node/net/udp-sockets.js";
import type { HostConnection, HostConnectionUser, HostNames } from "../../src/net/host-sockets.js";

/** Somebody who takes connections and neither reads nor ends them. */
async function silent(t: TestContext): Promise<{ port: number; taken: net.Socket[] }> {
  const taken: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined);
    taken.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of taken) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, taken };
}

const open = (): number => process.getActiveResourcesInfo().filter((one) => one === "TCPSocketWrap").length;

/** Waits until something is so; a host takes its time, and none of it is measured. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 500, what);
    await sleep(10);
  }
}

test("R3.7 a connection that is ended and broken off at once is closed, as every other is", async (t) => {
  const { port, taken } = await silent(t);
  const before = open();
  let closed = 0;
  for (let i = 0; i < 10; i++) {
    const user: HostConnectionUser & { there?: () => void } = {
      connected: () => user.there?.(),
      received: () => undefined,
      finished: () => undefined,
      failed: () => assert.fail("it was broken off by us"),
      closed: () => closed++,
    };
    const there = new Promise<void>((resolve) => (user.there = resolve));
    const connection = connectTcp({ address: "127.0.0.1", port }, user);
    await there;
    connection.write(Uint8Array.of(1), () => undefined);
    if (i % 2 === 0) connection.end();
    connection.abort();
  }
  await until(() => taken.length === 10, "all are taken");
  for (const socket of taken) socket.destroy();
  await until(() => open() <= before, "sockets are left over");
  assert.equal(closed, 10, "and each says so");
});

const noSix = Object.values(os.networkInterfaces())
  .flat()
  .some((one) => one?.address === "::1")
  ? false
  : "this host has no ::1";
const linux = process.platform === "linux" ? false : "only Linux shows its timers";

test("R3.7 whoever is silent is asked whether it is still there", { skip: linux }, async (t) => {
  const { port } = await silent(t);
  const none = (): void => undefined;
  const there = new Promise<void>((resolve) => {
    const user = { connected: resolve, received: none, finished: none, failed: none, closed: none };
    const connection = connectTcp({ address: "127.0.0.1", port }, user);
    t.after(() => connection.abort());
  });
  await there;
  const [, , remote, , , timer] = readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((words) => parseInt(words[2]?.split(":")[1], 16) === port)!;
  // 02 is the timer of a connection at rest; it runs out in hundredths of a second.
  assert.match(timer, /^02:/, remote);
  assert.ok(Math.abs(parseInt(timer.slice(3), 16) - 5 * 60 * 100) < 60 * 100, timer);
});

test(
  "R3.7 a port that is published at every address of IPv6 is none of IPv4's, as of datagrams",
  { skip: noSix },
  async (t) => {
    const accept = (connection: HostConnection): HostConnectionUser => {
      setImmediate(() => connection.abort());
      const none = (): void => undefined;
      return { connected: none, received: none, finished: none, failed: none, closed: none };
    };
    const free = net.createServer().listen(0, "::1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    const listener = new TcpListener({ address: "::", port }, accept);
    await listener.ready;
    t.after(() => listener.close());
    const reached = (host: string): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = net.connect({ host, port });
        socket.on("connect", () => resolve(true));
        socket.on("error", () => resolve(false));
        t.after(() => socket.destroy());
      });
    assert.ok(await reached("::1"));
    assert.ok(!(await reached("127.0.0.1")));
  },
);

test("R3.7 a nameserver to whom there is no way is one that does not answer", async () => {
  // A connection to everybody is refused by every system.
  assert.equal(await ask(new Uint8Array(17), ["255.255.255.255"]), undefined);
});

test("R3.7 a socket of datagrams that cannot be had says so, and what is sent by it is lost and harms nobody", async (t) => {
  const heard: string[] = [];
  const hearer = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  await once(hearer, "listening");
  t.after(() => hearer.close());
  hearer.on("message", (data) => heard.push(data.toString()));
  const to = { address: "127.0.0.1", port: hearer.address().port };
  let failed = 0;
  // An address for documents: no host has it.
  const none = new UdpSocket(
    () => undefined,
    () => failed++,
    { address: "192.0.2.1", port: 4000 },
  );
  await assert.rejects(none.ready);
  await until(() => failed === 1, "it says so");
  none.send(Buffer.from("lost"), to);
  const socket = new UdpSocket(
    () => undefined,
    () => assert.fail("there are ports"),
    4,
  );
  t.after(() => socket.close());
  await socket.ready;
  socket.send(Buffer.from("to nobody"), { ...to, port: 0 });
  socket.send(Buffer.from("heard"), to);
  await until(() => heard.length > 0, "one is heard");
  assert.deepEqual(heard, ["heard"]);
  none.close();
});

test(
  "R3.7 datagrams go to ::1 and come back, by a socket of IPv6 that hears nothing of IPv4",
  { skip: noSix },
  async (t) => {
    const echo = dgram.createSocket("udp6");
    echo.on("message", (data, { port, address }) =>
      echo.send(Buffer.concat([Buffer.from("re: "), data]), port, address),
    );
    echo.bind(0, "::1");
    await once(echo, "listening");
    t.after(() => echo.close());
    const heard: string[] = [];
    const socket = new UdpSocket(
      (data, { address }) => heard.push(`${address} ${Buffer.from(data).toString()}`),
      () => assert.fail("there are ports"),
      6,
    );
    t.after(() => socket.close());
    await socket.ready;
    socket.send(Buffer.from("lost"), { address: "127.0.0.1", port: echo.address().port });
    socket.send(Buffer.from("x"), { address: "::1", port: echo.address().port });
    await until(() => heard.length > 0, "an answer");
    assert.deepEqual(heard, ["::1 re: x"]);
  },
);

test(
  "R3.7 a published port of datagrams at ::1 hears those who come there; one that is taken is said",
  { skip: noSix },
  async (t) => {
    const sockets = new NodeSockets();
    const free = dgram.createSocket("udp6").bind(0, "::1");
    await once(free, "listening");
    const { port } = free.address();
    const taken = new NodeSockets();
    taken.datagrams(
      () => undefined,
      () => undefined,
      { address: "::1", port },
    );
    await assert.rejects(taken.opened(), /udp ::1/);
    free.close();
    await once(free, "close");
    const heard: string[] = [];
    const published = sockets.datagrams(
      (data, { address }) => heard.push(`${address} ${Buffer.from(data).toString()}`),
      () => assert.fail("the port is free"),
      { address: "::1", port },
    );
    t.after(() => published.close());
    await sockets.opened();
    const visitor = dgram.createSocket("udp6");
    t.after(() => visitor.close());
    visitor.send("hello", port, "::1");
    await until(() => heard.length > 0, "a visitor");
    assert.deepEqual(heard, ["::1 hello"]);
  },
);

test(
  "R3.7 connections to ::1 come about, and are known to have led to the host itself",
  { skip: noSix },
  async (t) => {
    const server = net.createServer((socket) => socket.end("there")).listen(0, "::1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const got: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      const connection = connectTcp(
        { address: "::1", port },
        {
          connected: () => assert.ok(connection.isOwn),
          received: (bytes) => got.push(bytes),
          finished: () => connection.end(),
          failed: () => assert.fail("somebody is there"),
          closed: resolve,
        },
      );
    });
    assert.equal(Buffer.concat(got).toString(), "there");
  },
);

test("R3.7 a name's addresses of each version are asked for apart", async () => {
  for (const family of [4, 6] as const) {
    const found = await new Promise<HostNames>((resolve) => lookup("localhost", family, resolve));
    assert.ok("addresses" in found);
    for (const address of found.addresses) assert.equal(net.isIP(address), family);
  }
});
