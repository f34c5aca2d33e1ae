/** The user-mode network's end on the host's thread: what a guest that sends without end, or is stopped within a frame, costs the rest. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { UserNetwork } from "../../src/host/node/net/user-network.js";
import { allocateShared, MainSide, WorkerSide } from "../../src/host/shared.js";
import { encodeFrame, FrameReader } from "../../src/net/frame-stream.js";

/** Long enough for any event loop that turns at all, ms. */
const PATIENCE_MS = 5000;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function opened(said: string[] = []): UserNetwork {
  return new UserNetwork(
    { policy: { host: false }, mtu: 1500, publish: [] },
    { say: (line) => said.push(line) },
  );
}

test("R3.7 a guest that never stops sending leaves timers their turns", async () => {
  const network = opened();
  let rung = false;
  const timer = setTimeout(() => (rung = true), 1);
  const frame = encodeFrame({ bytes: new Uint8Array(60) });
  const end = performance.now() + PATIENCE_MS;
  while (!rung && performance.now() < end) await network.channel.output(frame);
  clearTimeout(timer);
  await network.close();
  assert.ok(rung, "a timer of a millisecond rang");
});

test("R3.7 who visits a published port before there is a machine is with the guest as soon as there is one", async () => {
  const port = await freePort();
  const at = { address: "127.0.0.1", port };
  const publish = [{ at, guestPort: 80, udp: false }];
  const network = new UserNetwork({ policy: { host: false }, mtu: 1500, publish }, { say: () => undefined });
  await network.opened();
  const visitor = net.connect(port, at.address);
  visitor.on("error", () => undefined);
  await once(visitor, "connect");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const reader = new FrameReader();
  network.connect((bytes) => {
    reader.push(bytes);
    return bytes.length;
  });
  const types: number[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next())
    types.push((frame.bytes[12] << 8) | frame.bytes[13]);
  visitor.destroy();
  await network.close();
  assert.deepEqual(types, [0x0806, 0x0800], "where is it, and a SYN");
});

test("R3.7 a machine that is stopped within a frame sends no other behind the half of it", () => {
  const shared = allocateShared(["net"]);
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => undefined).channels.get("net")!;
  main.requestStop();
  const frame = encodeFrame({ bytes: new Uint8Array(1514).fill(0xa5) });
  const reader = new FrameReader();
  let frames = 0;
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 200; i++) worker.write(frame);
    reader.push(main.channels.get("net")!.takeOutput(1 << 18));
    while (reader.next() !== undefined) frames++;
  }
  assert.equal(frames, Math.floor((1 << 18) / frame.length), "as many as the ring had room for");
});

test("R3.7 a stream that makes no sense ends the guest's sending with a word, and nothing else", async () => {
  const said: string[] = [];
  const network = opened(said);
  await network.channel.output(new Uint8Array(64).fill(0xa5));
  await network.channel.output(new Uint8Array(64).fill(0xa5));
  await network.close();
  assert.deepEqual(said, ["a frame of 2779096485 bytes in a stream; nothing more is taken from the guest"]);
});
