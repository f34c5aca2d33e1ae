/** The VGA's registers as text modes use them, and the screen that they and guest memory make. */
import assert from "node:assert/strict";
import test from "node:test";
import { PortBus } from "../../src/devices/bus/port-bus.js";
import { initialVgaState, VgaText } from "../../src/devices/display/vga-text.js";
import { readScreen, screenText } from "../../src/machine/screen.js";
import { FakeClock } from "../support/fake-clock.js";
import { plainMemory } from "../support/guest-memory.js";
import { Random } from "../support/random.js";

const TEXT = 0xb8000;
const WINDOW_END = 0xc0000;

class Bench {
  readonly clock = new FakeClock();
  readonly ports = new PortBus();
  readonly memory = plainMemory([{ start: 0, size: WINDOW_END }]);
  readonly bytes = this.memory.view(0, WINDOW_END)!;
  readonly vga: VgaText;

  constructor(state = initialVgaState()) {
    this.vga = new VgaText(this.clock, state);
    this.ports.add({ start: 0x3c0, size: 16, device: this.vga.mainPorts });
    this.ports.add({ start: 0x3d4, size: 2, device: this.vga.crtcPorts });
    this.ports.add({ start: 0x3da, size: 1, device: this.vga.statusPort });
    this.ports.add({ start: 0x1ce, size: 3, device: this.vga.dispiPorts, width: "whole" });
  }

  crtc(index: number, value: number): void {
    this.ports.write(0x3d4, 2, index | (value << 8));
  }

  put(cell: number, text: string): void {
    for (const [i, character] of [...text].entries())
      this.bytes[TEXT + (cell + i) * 2] = character.charCodeAt(0);
  }

  screen(): ReturnType<typeof readScreen> {
    return readScreen(this.memory, this.vga.state);
  }
}

test("VGA: a machine without a VGA BIOS begins in mode 3, 80 × 25", () => {
  const bench = new Bench();
  bench.put(0, "hello");
  bench.put(80 * 24 + 75, "world");
  bench.bytes[TEXT + 2 * 80] = 0xc9;
  const screen = bench.screen();
  assert.ok(screen.mode === "text");
  assert.deepEqual([screen.columns, screen.rows, screen.lines.length], [80, 25, 25]);
  assert.equal(screen.lines[0].trimEnd(), "hello");
  assert.equal(screen.lines[1][0], "╔", "code page 437");
  assert.equal(screen.lines[24].slice(75), "world");
});

test("VGA: start address, cursor and pitch come from the CRTC", () => {
  const bench = new Bench();
  bench.put(160, "second page");
  bench.crtc(0x0c, 0);
  bench.crtc(0x0d, 160);
  bench.crtc(0x0e, 0);
  bench.crtc(0x0f, 160 + 83);
  const screen = bench.screen();
  assert.ok(screen.mode === "text");
  assert.equal(screenText(screen), "second page");
  assert.deepEqual(screen.cursor, { column: 3, row: 1 });
  bench.crtc(0x0a, 0x20);
  assert.equal((bench.screen() as { cursor?: object }).cursor, undefined, "the cursor is off");
});

test("VGA: 40 × 25 and 80 × 50 follow from the registers; a graphics mode is said to be one", () => {
  const bench = new Bench();
  bench.crtc(0x11, 0);
  bench.crtc(0x01, 39);
  bench.crtc(0x09, 0x47);
  const screen = bench.screen();
  assert.ok(screen.mode === "text");
  assert.deepEqual([screen.columns, screen.rows], [40, 50]);
  bench.ports.write(0x3ce, 2, 0x0506);
  assert.deepEqual(bench.screen(), { mode: "graphics" });
});

test("VGA: reading port 0x3da makes the next write to 0x3c0 an index", () => {
  const bench = new Bench();
  for (const value of [0x0d, 0x55]) {
    bench.ports.read(0x3da, 1);
    bench.ports.write(0x3c0, 1, 0x0d);
    bench.ports.write(0x3c0, 1, value);
    assert.equal(bench.ports.read(0x3c1, 1), value);
  }
});

test("VGA: CRTC registers 0 to 7 are protected by register 0x11, but for one bit", () => {
  const bench = new Bench();
  bench.crtc(0, 0x12);
  assert.equal(bench.vga.state.crtc[0], 0x5f);
  bench.crtc(7, 0);
  assert.equal(bench.vga.state.crtc[7], 0x0f);
  bench.crtc(0x11, 0x0e);
  bench.crtc(0, 0x12);
  assert.equal(bench.vga.state.crtc[0], 0x12);
});

test("VGA: the palette is written and read three bytes a colour, 6 bits each", () => {
  const bench = new Bench();
  bench.ports.write(0x3c8, 1, 255);
  for (const value of [0xff, 1, 2, 3]) bench.ports.write(0x3c9, 1, value);
  bench.ports.write(0x3c7, 1, 255);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bench.ports.read(0x3c9, 1)),
    [0x3f, 1, 2, 3],
  );
});

test("VGA: vertical retrace comes and goes, 70 times a second", () => {
  const bench = new Bench();
  let rises = 0;
  let before = false;
  for (let us = 0; us < 1_000_000; us += 20) {
    bench.clock.advance(20_000);
    const now = (bench.ports.read(0x3da, 1) & 8) !== 0;
    if (now && !before) rises++;
    before = now;
  }
  assert.ok(rises >= 69 && rises <= 71, `${rises} in a second`);
});

test("VGA: Bochs' display interface is there and offers nothing", () => {
  const bench = new Bench();
  const register = (index: number): number => {
    bench.ports.write(0x1ce, 2, index);
    return bench.ports.read(0x1cf, 2);
  };
  assert.deepEqual([0, 1, 4, 10].map(register), [0xb0c0, 0, 0, 0]);
});

test("VGA: 100 000 random accesses: nothing throws, values are bytes, the screen is always readable, state is data", () => {
  const random = new Random(11);
  let bench = new Bench();
  const ports = [...Array.from({ length: 16 }, (_, i) => 0x3c0 + i), 0x3d4, 0x3d5, 0x3da, 0x1ce, 0x1cf];
  for (let i = 0; i < 100_000; i++) {
    const port = random.pick(ports);
    const size = random.pick([1, 1, 2, 4] as const);
    if (random.below(3) === 0) assert.ok(bench.ports.read(port, size) < 2 ** (8 * size));
    else bench.ports.write(port, size, random.below(2 ** 32));
    if (i % 1000 !== 0) continue;
    const screen = bench.screen();
    assert.ok(screen.mode === "graphics" || (screen.columns <= 256 && screen.rows <= 1024));
    bench = new Bench(structuredClone(bench.vga.state));
  }
});
