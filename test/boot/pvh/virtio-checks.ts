/**
 * Checks 17 and 18: a virtio device where the command line says, its registers, and a disk that is driven through indirect
 * descriptors. The disk begins with `DISK_MARK`; the guest reads its first sector and writes it to the second.
 *
 * Sources: VIRTIO 1.2 §2.7, §4.2.2, §5.2; FreeBSD virtio_mmio.c; NetBSD virtio_mmio.c.
 */
import * as o from "../../support/asm/index.js";
import type { Frame } from "./frame.js";

export const DISK_MARK = "locoreDK";

const { dword, qword, word, byte } = o;
const MAGIC = 0x7472_6976;
/** Registers, by their offsets. */
export const R = {
  VERSION: 4,
  DEVICE: 8,
  FEATURES: 0x10,
  FEATURES_SEL: 0x14,
  TAKEN: 0x20,
  TAKEN_SEL: 0x24,
  QUEUE_SEL: 0x30,
  QUEUE_MAX: 0x34,
  QUEUE_SIZE: 0x38,
  READY: 0x44,
  NOTIFY: 0x50,
  INTERRUPT: 0x60,
  ACKNOWLEDGE: 0x64,
  STATUS: 0x70,
  TABLE: 0x80,
  DRIVER: 0x90,
  DEVICE_RING: 0xa0,
  CONFIG: 0x100,
};
export const [ACKNOWLEDGED, DRIVER, RUNNING, AGREED] = [1, 3, 0xf, 0xb];
const INDIRECT = 1 << 28;
const DISK = 2;
/** A queue that no device of these tests has, of those that a device might have. */
const NO_QUEUE = 9;
/** Rings, a table, a request's head, data and status, in memory that nobody uses. */
const [TABLE, AVAILABLE, USED, INNER, HEAD, DATA, STATUS] = [
  0x50_0000, 0x50_1000, 0x50_2000, 0x50_3000, 0x50_4000, 0x50_5000, 0x50_6000,
];
const [READ, WRITE] = [0, 1];

/** RDX becomes the device's registers. */
export function found({ a }: Frame, absentIf: (condition: "e" | "ne") => void): void {
  a.cmp(dword("virtioDevices"), 0);
  absentIf("e");
  a.mov(o.rdx, qword("virtioBase")).cmp(dword(o.rdx), MAGIC);
  absentIf("ne");
  a.cmp(dword(o.rdx, R.DEVICE), 0);
  absentIf("e");
}

export function virtioRegisters(f: Frame): void {
  const { a } = f;
  found(f, (condition) => f.absentIf(condition));
  a.mov(o.eax, dword(o.rdx, R.VERSION)).dec(o.eax).cmp(o.eax, 1);
  f.require("be", 1);
  a.mov(dword(o.rdx, R.STATUS), 0).mov(o.eax, dword(o.rdx, R.STATUS)).test(o.eax, o.eax);
  f.require("e", 2);
  for (const status of [ACKNOWLEDGED, DRIVER]) {
    a.mov(dword(o.rdx, R.STATUS), status).mov(o.eax, dword(o.rdx, R.STATUS)).cmp(o.eax, status);
    f.require("e", 3);
  }
  // A configuration is bytes, whatever the size of an access.
  a.mov(o.ecx, dword(o.rdx, R.CONFIG)).movzx(o.eax, word(o.rdx, R.CONFIG)).cmp(o.ax, o.cx);
  f.require("e", 4);
  a.movzx(o.eax, byte(o.rdx, R.CONFIG + 1))
    .shr(o.ecx, 8)
    .cmp(o.al, o.cl);
  f.require("e", 5);
  // VERSION_1, of version 2 and of no other.
  a.mov(dword(o.rdx, R.FEATURES_SEL), 1).mov(o.eax, dword(o.rdx, R.FEATURES)).and(o.eax, 1).inc(o.eax);
  a.cmp(o.eax, dword(o.rdx, R.VERSION));
  f.require("e", 6);
  a.mov(dword(o.rdx, R.QUEUE_SEL), 0).mov(o.eax, dword(o.rdx, R.QUEUE_MAX)).cmp(o.eax, 8);
  f.require("ae", 7);
  a.mov(dword(o.rdx, R.QUEUE_SEL), NO_QUEUE).mov(o.eax, dword(o.rdx, R.QUEUE_MAX)).test(o.eax, o.eax);
  f.require("e", 8);
  a.mov(dword(o.rdx, R.STATUS), 0);
}

export function virtioDisk(f: Frame): void {
  const { a } = f;
  found(f, (condition) => f.absentIf(condition));
  for (const [register, value] of [
    [R.VERSION, 2],
    [R.DEVICE, DISK],
  ]) {
    a.cmp(dword(o.rdx, register), value);
    f.absentIf("ne");
  }
  const set = (register: number, value: number): void => void a.mov(dword(o.rdx, register), value);
  for (const status of [0, ACKNOWLEDGED, DRIVER]) set(R.STATUS, status);
  for (const [index, features] of [INDIRECT, 1].entries()) {
    set(R.TAKEN_SEL, index);
    set(R.TAKEN, features);
  }
  set(R.STATUS, AGREED);
  a.mov(o.eax, dword(o.rdx, R.STATUS)).cmp(o.eax, AGREED);
  f.require("e", 1);
  set(R.QUEUE_SEL, 0);
  set(R.QUEUE_SIZE, 8);
  for (const [register, address] of [
    [R.TABLE, TABLE],
    [R.DRIVER, AVAILABLE],
    [R.DEVICE_RING, USED],
  ]) {
    set(register, address);
    set(register + 4, 0);
  }
  a.mov(dword(AVAILABLE), 0).mov(dword(USED), 0);
  set(R.READY, 1);
  set(R.STATUS, RUNNING);
  request(f, { type: READ, sector: 0, nth: 1, rule: 2 });
  a.movabs(o.rax, Buffer.from(DISK_MARK, "latin1").readBigUInt64LE()).cmp(qword(DATA), o.rax);
  f.require("e", 6);
  request(f, { type: WRITE, sector: 1, nth: 2, rule: 7 });
  set(R.STATUS, 0);
}

interface DiskRequest {
  type: number;
  sector: number;
  /** The how manieth, from 1. */
  nth: number;
  /** It fails by this rule or one of the three behind it. */
  rule: number;
}

/** One sector, by a table of three descriptors. */
function request(f: Frame, { type, sector, nth, rule }: DiskRequest): void {
  const { a } = f;
  const descriptor = (at: number, address: number, length: number, tail: number): void =>
    void a
      .mov(dword(at), address)
      .mov(dword(at + 4), 0)
      .mov(dword(at + 8), length)
      .mov(dword(at + 12), tail);
  a.mov(dword(HEAD), type)
    .mov(dword(HEAD + 4), 0)
    .mov(dword(HEAD + 8), sector)
    .mov(dword(HEAD + 12), 0);
  a.mov(dword(STATUS), 0xff);
  // Flags, and above them the next.
  descriptor(INNER, HEAD, 16, 1 | (1 << 16));
  descriptor(INNER + 16, DATA, 512, (type === READ ? 3 : 1) | (2 << 16));
  descriptor(INNER + 32, STATUS, 1, 2);
  descriptor(TABLE, INNER, 48, 4);
  a.mov(word(AVAILABLE + 2 + 2 * nth), 0)
    .mov(word(AVAILABLE + 2), nth)
    .mov(dword(o.rdx, R.NOTIFY), 0);
  // A device may take its time.
  const [again, done] = [a.fresh("again"), a.fresh("done")];
  a.mov(o.ecx, 100_000_000)
    .label(again)
    .cmp(word(USED + 2), nth)
    .jcc("e", done);
  a.pause()
    .dec(o.ecx)
    .jcc("ne", again)
    .label(done)
    .movzx(o.eax, word(USED + 2))
    .cmp(o.eax, nth);
  f.require("e", rule);
  a.movzx(o.eax, byte(STATUS)).test(o.eax, o.eax);
  f.require("e", rule + 1);
  a.mov(o.eax, dword(o.rdx, R.INTERRUPT)).test(o.eax, 1);
  f.require("ne", rule + 2);
  a.mov(dword(o.rdx, R.ACKNOWLEDGE), 1).mov(o.eax, dword(o.rdx, R.INTERRUPT)).test(o.eax, 1);
  f.require("e", rule + 3);
}
