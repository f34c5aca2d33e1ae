/** fw_cfg as QEMU docs/specs/fw_cfg.rst describes it: selector, data, directory, DMA; and random accesses to all of it. */
import assert from "node:assert/strict";
import test from "node:test";
import { FwCfg, initialFwCfgState } from "../../src/devices/configuration/fw-cfg.js";
import { DebugConsole } from "../../src/devices/serial/debug-console.js";
import { fwCfgItems, littleEndian } from "../../src/firmware/fw-cfg.js";
import { FW_CFG_KEY } from "../../src/spec/fw-cfg.js";
import { PortBus } from "../../src/devices/bus/port-bus.js";
import { plainMemory } from "../support/guest-memory.js";
import { Random } from "../support/random.js";

const RAM = 0x10000;
const NOTE = Uint8Array.from([1, 2, 3, 4, 5]);

class Bench {
  readonly ram = plainMemory([{ start: 0, size: RAM }]);
  /** The very bytes. */
  readonly bytes = this.ram.writable(0, RAM)!.fill(0xee);
  readonly ports = new PortBus();
  readonly items = fwCfgItems(
    [{ key: FW_CFG_KEY.CPUS, bytes: littleEndian(3, 2) }],
    new Map([
      ["opt/note", NOTE],
      ["etc/a", Uint8Array.of(9)],
    ]),
  );
  readonly device: FwCfg;

  constructor(state = initialFwCfgState()) {
    this.device = new FwCfg(new Map(this.items.map(({ key, bytes }) => [key, bytes])), () => this.ram, state);
    this.ports.add({ start: 0x510, size: 2, device: this.device.classicPorts, width: "whole" });
    this.ports.add({ start: 0x514, size: 8, device: this.device.dmaPorts, width: "whole" });
  }

  take(key: number, count: number): number[] {
    this.ports.write(0x510, 2, key);
    return Array.from({ length: count }, () => this.ports.read(0x511, 1));
  }

  /** Puts a descriptor at 0x100 and starts it; returns its control word afterwards. */
  dma(control: number, length: number, address: number, at = 0x100): number {
    const view = new DataView(this.bytes.buffer);
    if (at + 16 <= RAM) {
      view.setUint32(at, control);
      view.setUint32(at + 4, length);
      view.setBigUint64(at + 8, BigInt(address));
    }
    const swapped = new DataView(new ArrayBuffer(4));
    swapped.setUint32(0, at);
    this.ports.write(0x518, 4, swapped.getUint32(0, true));
    return at + 16 <= RAM ? view.getUint32(at) : -1;
  }
}

const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);

test("fw_cfg: signature, version with DMA, and zeros behind an item's end and for keys that are not there", () => {
  const bench = new Bench();
  assert.equal(text(bench.take(0, 4)), "QEMU");
  assert.deepEqual(bench.take(1, 5), [3, 0, 0, 0, 0]);
  assert.deepEqual(bench.take(5, 3), [3, 0, 0]);
  assert.deepEqual(bench.take(0x1234, 2), [0, 0]);
});

test("fw_cfg: the directory names files in order, big-endian, from key 0x20 on", () => {
  const bench = new Bench();
  const bytes = Uint8Array.from(bench.take(0x19, 4 + 2 * 64));
  const view = new DataView(bytes.buffer);
  assert.equal(view.getUint32(0), 2);
  assert.deepEqual(
    [view.getUint32(4), view.getUint16(8), text([...bytes.subarray(12, 17)])],
    [1, 0x20, "etc/a"],
  );
  assert.deepEqual(
    [view.getUint32(68), view.getUint16(72), text([...bytes.subarray(76, 84)])],
    [5, 0x21, "opt/note"],
  );
  assert.deepEqual(bench.take(0x21, 5), [...NOTE]);
});

test("fw_cfg: a name of 56 characters is refused", () => {
  assert.throws(() => fwCfgItems([], new Map([["x".repeat(56), NOTE]])), RangeError);
});

test("fw_cfg DMA: the register reads as its signature; select and read copy, zeros follow the end", () => {
  const bench = new Bench();
  const signature = [0x514, 0x518].map((port) => bench.ports.read(port, 4));
  const shown = Buffer.from(Uint32Array.from(signature).buffer).toString("latin1");
  assert.equal(shown, "QEMU CFG");
  assert.equal(bench.dma(0x0021000a, 7, 0x200), 0);
  assert.deepEqual([...bench.bytes.subarray(0x200, 0x208)], [1, 2, 3, 4, 5, 0, 0, 0xee]);
});

test("fw_cfg DMA: skip moves on, a read without select goes on, a write is an error", () => {
  const bench = new Bench();
  assert.equal(bench.dma(0x0021000c, 2, 0), 0);
  assert.equal(bench.dma(0x02, 2, 0x300), 0);
  assert.deepEqual([...bench.bytes.subarray(0x300, 0x302)], [3, 4]);
  assert.equal(bench.dma(0x00210018, 1, 0x300), 1);
});

test("fw_cfg DMA: a target outside RAM is an error, a descriptor outside RAM is nothing, both harmless", () => {
  const bench = new Bench();
  assert.equal(bench.dma(0x0021000a, 5, RAM - 2), 1);
  assert.equal(bench.dma(0x0021000a, 0xffffffff, 0), 1);
  assert.equal(bench.dma(0x0021000a, 5, 2 ** 40), 1);
  assert.equal(bench.dma(0x0021000a, 5, 0x300, RAM), -1);
  assert.equal(bench.take(0, 1)[0], "Q".charCodeAt(0));
});

test("fw_cfg: byte writes to the selector and wide reads of the data do nothing", () => {
  const bench = new Bench();
  bench.take(5, 0);
  bench.ports.write(0x510, 1, 0);
  assert.equal(bench.ports.read(0x511, 1), 3);
  assert.equal(bench.ports.read(0x510, 2), 0xffff);
});

test("fw_cfg: 100 000 random accesses: nothing throws, memory outside a transfer stays, a copy goes on alike", () => {
  const random = new Random(5);
  let bench = new Bench();
  const ports = [0x510, 0x511, 0x512, 0x514, 0x516, 0x518, 0x51a, 0x51c];
  for (let i = 0; i < 100_000; i++) {
    const port = random.pick(ports);
    const size = random.pick([1, 2, 4] as const);
    if (random.below(2) === 0) bench.ports.read(port, size);
    else bench.ports.write(port, size, random.below(4) === 0 ? random.below(0x30) : random.below(2 ** 32));
    if (i % 1000 !== 0) continue;
    const control = (random.below(0x30) << 16) | random.below(0x20);
    bench.dma(control, random.below(0x200), random.below(2 * RAM), random.below(RAM));
    const copy = new Bench(structuredClone(bench.device.state));
    assert.equal(copy.ports.read(0x511, 1), bench.ports.read(0x511, 1));
    bench = copy;
  }
});

test("debug console: reads as 0xe9 by bytes and keeps the end of what was written", () => {
  const console = new DebugConsole();
  assert.equal(console.readPort(0, 1), 0xe9);
  for (let i = 0; i < 600_000; i++) console.writePort(0, 1, 0x61 + (i % 26));
  assert.ok(console.state.text.length >= 1 << 18 && console.state.text.length < 1 << 19);
  assert.equal(console.state.text.at(-1), String.fromCharCode(0x61 + (599_999 % 26)));
});
