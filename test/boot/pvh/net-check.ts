/**
 * Check 23: a network card that is driven by two queues. The guest asks who has the gateway's address, and is told.
 *
 * Sources: VIRTIO 1.2 §2.7, §5.1; RFC 826; FreeBSD if_vtnet.c.
 */
import * as o from "../../support/asm/index.js";
import type { Frame } from "./frame.js";
import { ACKNOWLEDGED, AGREED, DRIVER, found, R, RUNNING } from "./virtio-checks.js";

const { dword, word, byte } = o;
const NET = 1;
/** The card's address can be read. */
const MAC = 1 << 5;
const ETHERNET = 14;
const HEAD = 12;
const ARP_BYTES = 28;
const QUEUES = [0x51_0000, 0x51_4000];
const [AVAILABLE, USED] = [0x1000, 0x2000];
const [RECEIVED, SENT] = [0x51_8000, 0x51_9000];
const BUFFER_BYTES = 2048;
const [GATEWAY, GUEST] = [
  [10, 0, 2, 2],
  [10, 0, 2, 15],
];
/** A station's address that is used until a guest knows better: of local making. */
const STATION = [2, 0, 0, 0, 0, 1];
const ARP_REPLY = 2;

const QUESTION = [
  ...[255, 255, 255, 255, 255, 255, ...STATION, 8, 6],
  ...[0, 1, 8, 0, 6, 4, 0, 1, ...STATION, ...GUEST, 0, 0, 0, 0, 0, 0, ...GATEWAY],
];

/** One buffer in a queue of one. */
function queue({ a }: Frame, index: number, buffer: { at: number; length: number; flags: number }): void {
  const at = QUEUES[index];
  const set = (register: number, value: number): void => void a.mov(dword(o.rdx, register), value);
  set(R.QUEUE_SEL, index);
  set(R.QUEUE_SIZE, 1);
  for (const [register, part] of [
    [R.TABLE, at],
    [R.DRIVER, at + AVAILABLE],
    [R.DEVICE_RING, at + USED],
  ]) {
    set(register, part);
    set(register + 4, 0);
  }
  for (const [place, value] of [
    [at, buffer.at],
    [at + 4, 0],
    [at + 8, buffer.length],
    [at + 12, buffer.flags],
    // Its flags and how many there are, in one word; which it is.
    [at + AVAILABLE, 1 << 16],
    [at + AVAILABLE + 4, 0],
    [at + USED, 0],
  ])
    a.mov(dword(place), value);
  set(R.READY, 1);
}

export function virtioNet(f: Frame): void {
  const { a } = f;
  found(f, (condition) => f.absentIf(condition));
  for (const [register, value] of [
    [R.VERSION, 2],
    [R.DEVICE, NET],
  ]) {
    a.cmp(dword(o.rdx, register), value);
    f.absentIf("ne");
  }
  const set = (register: number, value: number): void => void a.mov(dword(o.rdx, register), value);
  for (const status of [0, ACKNOWLEDGED, DRIVER]) set(R.STATUS, status);
  for (const [index, features] of [MAC, 1].entries()) {
    set(R.TAKEN_SEL, index);
    set(R.TAKEN, features);
  }
  set(R.STATUS, AGREED);
  a.mov(o.eax, dword(o.rdx, R.STATUS)).cmp(o.eax, AGREED);
  f.require("e", 1);
  for (let i = 0; i < HEAD; i += 4) a.mov(dword(SENT + i), 0);
  QUESTION.forEach((value, i) => a.mov(byte(SENT + HEAD + i), value));
  queue(f, 0, { at: RECEIVED, length: BUFFER_BYTES, flags: 2 });
  queue(f, 1, { at: SENT, length: HEAD + QUESTION.length, flags: 0 });
  set(R.STATUS, RUNNING);
  set(R.NOTIFY, 0);
  set(R.NOTIFY, 1);
  used(f, 1, 2);
  used(f, 0, 3);
  a.mov(o.eax, dword(QUEUES[0] + USED + 8)).cmp(o.eax, HEAD + ETHERNET + ARP_BYTES);
  f.require("ae", 4);
  a.movzx(o.eax, byte(RECEIVED + HEAD + ETHERNET + 7)).cmp(o.eax, ARP_REPLY);
  f.require("e", 5);
  a.mov(o.eax, dword(RECEIVED + HEAD + ETHERNET + 14)).cmp(o.eax, Buffer.from(GATEWAY).readInt32LE());
  f.require("e", 6);
  a.mov(o.eax, dword(o.rdx, R.INTERRUPT)).test(o.eax, 1);
  f.require("ne", 7);
  set(R.ACKNOWLEDGE, 1);
  set(R.STATUS, 0);
}

/** The device is done with the queue's buffer, in its own time. */
function used(f: Frame, index: number, rule: number): void {
  const { a } = f;
  const [again, done] = [a.fresh("again"), a.fresh("done")];
  const count = word(QUEUES[index] + USED + 2);
  a.mov(o.ecx, 100_000_000).label(again).cmp(count, 1).jcc("e", done);
  a.pause().dec(o.ecx).jcc("ne", again).label(done).movzx(o.eax, count).cmp(o.eax, 1);
  f.require("e", rule);
}
