/**
 * R5.2 on QEMU's virt machines: the trampolines put a kernel anywhere, whatever lies there. Each guest reports where it
 * runs, a checksum of itself, its bss, and whether the device tree is whole.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { TREE_ALIGNMENT } from "../../src/convert/wrapper.js";
import { THUMB_MARK } from "./guest-code.js";
import { checkReport, makeGuest, UART } from "./guest.js";
import { bootDirectly, RAM } from "./machines.js";

/** Where QEMU loads the image (arm64: text_offset 0 goes to the next 2 MiB), and the device tree with 128 MiB. */
const LOADED = { 32: RAM + 0x1_0000, 64: RAM + 0x20_0000 } as const;
const MEMORY_MIB = 128;
const TREE = RAM + (MEMORY_MIB / 2) * 2 ** 20;
const HEADER = 0x400;
const JUNK_SIZE = 0x3_0000;

const sizes = {
  32: makeGuest({ bits: 32, link: 0n, uart: UART.QEMU }),
  64: makeGuest({ bits: 64, link: 0n, uart: UART.QEMU }),
} as const;
/** The multiple of the unit of copying that is next below. */
function unit(offset: number): number {
  return Math.floor(offset / 16) * 16;
}

/**
 * Destinations by what is special about them, counted from where the image is loaded.
 * @param size of the kernel in memory, @param whole of the image, bytes
 */
function near(size: number, whole: number): Readonly<Record<string, number>> {
  return {
    "far below": -0xf000,
    "below, adjacent": unit(-size),
    "below, its end on the header": unit(-size + 0x200),
    "below, its end on the kernel": unit(-size + 0x2000),
    "one unit below": -0x10,
    equal: 0,
    "on the trampoline": 0x80,
    "one unit below the kernel": HEADER - 0x10,
    "where the kernel is already": HEADER,
    "one unit above the kernel": HEADER + 0x10,
    "half way": unit(whole / 2),
    "on the tail": unit(whole - HEADER),
    "on the end of the tail": unit(whole - 1),
    "above, adjacent": unit(whole + 15),
    "far above": 0x100_0000,
  };
}

/** The same counted from where the device tree lies. */
function onTheTree(size: number): Readonly<Record<string, number>> {
  return {
    "ending below the device tree": unit(-size),
    "its bss on the device tree": unit(-size + 0x1000),
    "its contents on the device tree": -0x1000,
    "exactly on the device tree": 0,
    "starting inside the device tree": 0x100,
  };
}

function junk(): Uint8Array {
  return new Uint8Array(JUNK_SIZE).fill(0xa5);
}

/** Whether the device tree has to make room. */
function onTree(from: number, size: number): boolean {
  return from + size > TREE && from < TREE + 0x1000;
}

/** One boot with the kernel at `address` and junk where its bss comes, unless that would be on the image or the tree. */
async function placed(t: test.TestContext, bits: 32 | 64, address: number): Promise<void> {
  const guest = makeGuest({ bits, link: BigInt(address), uart: UART.QEMU });
  const { bytes, placement } = convert(guest.elf, { to: bits === 32 ? "zimage" : "arm64-image" });
  assert.equal(placement.kind, "absolute");
  const bss = address + guest.contents;
  const clear = (from: number, size: number): boolean => bss + JUNK_SIZE <= from || bss >= from + size;
  const free = clear(LOADED[bits], bytes.length) && clear(TREE, 2 ** 21) && bss >= RAM + 0x1_0000;
  const args = free ? ["-device", `loader,file=@junk,addr=${bss},force-raw=on`] : [];
  const console = await bootDirectly(t, bits, bytes, { memory: MEMORY_MIB, args, files: { junk: junk() } });
  if (console === undefined) return;
  const report = checkReport(console, guest, address);
  assert.equal(report[bits === 32 ? "2" : "0"] !== TREE, onTree(address, guest.memory));
  if (bits === 32) assert.deepEqual([report["0"], report["1"]], [0, 0xffff_ffff]);
  else assert.deepEqual([report["1"], report["2"], report["3"]], [0, 0, 0]);
}

for (const bits of [32, 64] as const) {
  const { memory, contents } = sizes[bits];
  for (const [name, offset] of Object.entries(near(memory, HEADER + contents + HEADER))) {
    test(`R5.2 ${bits}-bit, destination ${name}`, (t) => placed(t, bits, LOADED[bits] + offset));
  }
  for (const [name, offset] of Object.entries(onTheTree(memory))) {
    test(`R5.2 ${bits}-bit, destination ${name}`, (t) => placed(t, bits, TREE + offset));
  }
}

for (const bits of [32, 64] as const) {
  test(`R5.2 ${bits}-bit, the image all inside a destination that ends at the device tree: code steps over it`, async (t) => {
    const address = LOADED[bits] - 0x10;
    const bss = TREE - address - sizes[bits].contents;
    const guest = makeGuest({ bits, link: BigInt(address), uart: UART.QEMU, bss });
    assert.equal(address + guest.memory, TREE);
    const { bytes } = convert(guest.elf, { to: bits === 32 ? "zimage" : "arm64-image" });
    const console = await bootDirectly(t, bits, bytes, { memory: MEMORY_MIB });
    if (console === undefined) return;
    assert.equal(checkReport(console, guest, address)[bits === 32 ? "2" : "0"], TREE);
  });
}

test("R5.2 32-bit, relative: without room below the image and the kernel, the device tree moves up", async (t) => {
  const offset = 0x8000;
  const bss = TREE + 0x1000 - RAM - offset - sizes[32].contents;
  const guest = makeGuest({ bits: 32, link: 0xc000_8000n, uart: UART.QEMU, bss });
  const { bytes, placement } = convert(guest.elf, { to: "zimage" });
  assert.equal(placement.kind, "relative");
  const console = await bootDirectly(t, 32, bytes, { memory: MEMORY_MIB });
  if (console === undefined) return;
  assert.equal(checkReport(console, guest, RAM + offset)["2"], TREE + TREE_ALIGNMENT);
});

test("R5.2 a Thumb entry point is entered in Thumb state", async (t) => {
  const guest = makeGuest({ bits: 32, link: BigInt(RAM + 0x100_0000), uart: UART.QEMU, thumb: true });
  const { bytes, instructionSet } = convert(guest.elf, { to: "zimage" });
  assert.equal(instructionSet, "Thumb");
  const console = await bootDirectly(t, 32, bytes);
  if (console === undefined) return;
  const report = checkReport(console, guest, RAM + 0x100_0000);
  assert.equal(report["3"], THUMB_MARK);
});

/** Processor state as reported: CPSR's mode field, CurrentEL. */
const HYPERVISOR_STATE = { 32: { mask: 0x1f, value: 0x1a }, 64: { mask: 0xc, value: 0x8 } } as const;

for (const bits of [32, 64] as const) {
  test(`R5.2 ${bits}-bit: entered in hypervisor mode, the kernel is too, with interrupts off`, async (t) => {
    const address = RAM + 0x100_0000;
    const guest = makeGuest({ bits, link: BigInt(address), uart: UART.QEMU });
    const { bytes } = convert(guest.elf, { to: bits === 32 ? "zimage" : "arm64-image" });
    const console = await bootDirectly(t, bits, bytes, { args: ["-M", "virt,virtualization=on"] });
    if (console === undefined) return;
    const { s: state } = checkReport(console, guest, address);
    const { mask, value } = HYPERVISOR_STATE[bits];
    assert.equal(state & mask, value, console);
    if (bits === 32) assert.equal(state & 0x1c0, 0x1c0, console);
  });
}
