/** Connections of the host's, over its loopback. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { connectTcp } from "../../src/host/node/net/tcp-sockets.js";
import type { HostConnection, HostConnectionUser } from "../../src/net/host-sockets.js";
import { collectGarbage } from "../support/garbage.js";

const USER: HostConnectionUser = {
  connected: () => undefined,
  received: () => undefined,
  finished: () => undefined,
  failed: () => undefined,
  closed: () => undefined,
};

/** A connection to a listener that takes nothing until it is told to; and the listener's end of it. */
async function connected(): Promise<{ connection: HostConnection; remote: net.Socket; close: () => void }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, "connection");
  const connection = await new Promise<HostConnection>((resolve) => {
    const made = connectTcp({ address: "127.0.0.1", port }, { ...USER, connected: () => resolve(made) });
  });
  const [remote] = (await accepted) as [net.Socket];
  return {
    connection,
    remote,
    close: () => {
      connection.abort();
      remote.destroy();
      server.close();
    },
  };
}

test("R3.7 bytes and the end arrive in order, and each is done once, however they were written", async () => {
  const { connection, remote, close } = await connected();
  const sent: number[] = [];
  let [done, most] = [0, 0];
  for (let i = 0; i < 3000; i++) {
    const bytes = Uint8Array.from({ length: 1 + (i % 7) * 100 }, (_, at) => (i + at) & 0xff);
    sent.push(...bytes);
    connection.write(bytes, (count) => {
      done += count;
      most = Math.max(most, count);
    });
  }
  connection.end();
  const received: Buffer[] = [];
  remote.on("data", (bytes: Buffer) => received.push(bytes));
  remote.resume();
  await once(remote, "end");
  assert.ok(Buffer.concat(received).equals(Buffer.from(sent)));
  assert.equal(done, sent.length);
  assert.equal(most, 65_536, "a slow remote is heard of before all of it is taken");
  close();
});

test("R3.7 200,000 writes of a byte to a remote that takes none cost little more than their bytes", async () => {
  const { connection, close } = await connected();
  let waiting = 0;
  const done = (count: number): void => void (waiting -= count);
  const fill = new Uint8Array(1 << 20);
  // Until the host takes no more.
  for (let i = 0; i < 64 && waiting === 0; i++) {
    waiting += fill.length;
    connection.write(fill, done);
    await soon();
  }
  assert.ok(waiting > 0, "the host is full");
  const before = memory();
  for (let i = 0; i < 200_000; i++) connection.write(new Uint8Array(1), done);
  await soon();
  const each = (memory() - before) / 200_000;
  close();
  assert.ok(each < 50, `${each} bytes each`);
});

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/** What is kept, bytes. */
function memory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
