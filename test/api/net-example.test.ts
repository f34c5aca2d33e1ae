/**
 * R3.7 The network of docs/net.md: taken from the page, compiled with the types that the package ships, and used by a guest with a driver of
 * its own, which sends a datagram and prints what comes.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { buildPlan } from "../../src/api/index.js";
import { IPV4_PAYLOAD, parseAddress, writeIpv4 } from "../../src/net/ipv4.js";
import { PROTOCOL } from "../../src/net/packet.js";
import { udpBytes } from "../../src/net/udp.js";
import { VIRTIO_MMIO as R } from "../../src/spec/virtio.js";
import { compile, SCRATCH } from "../support/compiled-example.js";
import { GUEST, GUEST_MAC } from "../support/net-guest.js";
import { pageFiles } from "../support/page-files.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x10_0000;
const HEAD = 12;
const PAYLOAD = HEAD + IPV4_PAYLOAD + 8;
/** Offsets in the guest's image: of both queues' rings, and their buffers. */
const RINGS = [0x1000, 0x2000];
const BUFFERS = [0x3000, 0x4000];
const [AVAILABLE, USED, IMAGE] = [0x100, 0x200, 0x5000];

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
}

/** A kernel that drives the card whose registers are at `card`: its rings are there when it begins, with one buffer each. */
function guest(card: number, datagram: string): Uint8Array {
  const image = new Uint8Array(IMAGE);
  const view = new DataView(image.buffer);
  const route = { source: GUEST, destination: parseAddress("192.0.2.1")!, protocol: PROTOCOL.UDP };
  const udp = udpBytes(route, { sourcePort: 4000, destinationPort: 7, data: Buffer.from(datagram) });
  const frame = new Uint8Array(IPV4_PAYLOAD + udp.length);
  frame.set(udp, IPV4_PAYLOAD);
  frame.set([...GUEST_MAC, ...GUEST_MAC, 8, 0]);
  writeIpv4(frame, route);
  image.set(frame, BUFFERS[1] + HEAD);
  const lengths = [0x800, HEAD + frame.length];
  RINGS.forEach((at, queue) => {
    view.setUint32(at, LOAD + BUFFERS[queue], true);
    view.setUint32(at + 8, lengths[queue], true);
    // The device writes what is received.
    view.setUint16(at + 12, queue === 0 ? 2 : 0, true);
    view.setUint16(at + AVAILABLE + 2, 1, true);
  });
  const set = (register: number, value: number): number[] => [
    0xc7,
    5,
    ...u32(card + register),
    ...u32(value),
  ];
  const queue = (at: number, which: number): number[] => [
    ...set(R.QUEUE_SEL, which),
    ...set(R.QUEUE_NUM, 1),
    ...set(R.QUEUE_DESC_LOW, LOAD + at),
    ...set(R.QUEUE_DRIVER_LOW, LOAD + at + AVAILABLE),
    ...set(R.QUEUE_DEVICE_LOW, LOAD + at + USED),
    ...set(R.QUEUE_READY, 1),
  ];
  image.set([
    ...set(R.STATUS, 0),
    ...set(R.STATUS, 3),
    ...set(R.DRIVER_FEATURES_SEL, 1),
    ...set(R.DRIVER_FEATURES, 1),
    ...set(R.STATUS, 0xb),
    ...RINGS.flatMap(queue),
    ...set(R.STATUS, 0xf),
    ...set(R.QUEUE_NOTIFY, 0),
    ...set(R.QUEUE_NOTIFY, 1),
    // again: cmp word [used.idx], 0; je again
    ...[0x66, 0x83, 0x3d, ...u32(LOAD + RINGS[0] + USED + 2), 0, 0x74, 0xf6],
    // mov esi, payload; mov ecx, length; mov dx, 0x3f8; rep outsb; cli; hlt
    ...[0xbe, ...u32(LOAD + BUFFERS[0] + PAYLOAD), 0xb9, ...u32(datagram.length), 0x66, 0xba, 0xf8, 3],
    ...[0xf3, 0x6e, 0xfa, 0xf4],
  ]);
  return pvhElf(LOAD, image, LOAD);
}

test(
  "R3.7 the network of docs/net.md: a guest's datagram comes back in capitals",
  { timeout: 60_000 },
  async (t) => {
    mkdirSync(SCRATCH, { recursive: true });
    const folder = mkdtempSync(path.join(SCRATCH, "net-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const files = pageFiles("docs/net.md", "ts");
    assert.deepEqual([...files.keys()], ["echo-net.ts"]);
    for (const [name, text] of files) writeFileSync(path.join(folder, name), text);
    assert.deepEqual(compile(folder, [...files.keys()]), []);
    const { echoed } = (await import(pathToFileURL(path.join(folder, "echo-net.js")).href)) as {
      echoed: (kernel: Uint8Array) => string;
    };
    const nets = [{ mac: "52:54:00:12:34:56", mtu: 1500 }];
    const { devices } = buildPlan({ kernel: { name: "guest", bytes: guest(0, "") }, nets });
    const card = devices.find(({ type }) => type === "virtio-net")!.mmio![0].start;
    assert.equal(echoed(guest(card, "hello")), "HELLO");
  },
);
