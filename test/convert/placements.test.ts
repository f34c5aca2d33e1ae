/**
 * R5.2 on QEMU's virt machines: the trampolines put a kernel anywhere, whatever lies there. Each guest reports where it
 * runs, a checksum of itself, its bss, and whether the device tree is whole.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { THUMB_MARK } from "./guest-code.js";
import { checkReport, makeGuest, UART } from "./guest.js";
import { bootDirectly, RAM } from "./machines.js";

/** Where QEMU loads the image (arm64: text_offset 0 goes to the next 2 MiB), and the device tree with 128 MiB. */
const LOADED = { 32: RAM + 0x1_0000, 64: RAM + 0x20_0000 } as const;
const MEMORY_MIB = 128;
const TREE = RAM + (MEMORY_MIB / 2) * 2 ** 20;
const HEADER = 0x400;
const JUNK_SIZE = 0x3_0000;

const sample = makeGuest({ bits: 32, link: 0n, uart: UART.QEMU });
const SIZE = sample.memory;
const WHOLE = HEADER + sample.contents + HEADER;

/** Destinations by what is special about them, counted from where the image is loaded. */
const NEAR: Readonly<Record<string, number>> = {
  "far below": -0xf000,
  "below, adjacent": -(SIZE + 0x10 - (SIZE % 16)),
  "below, its end on the header": -SIZE + 0x200 - ((0x200 - SIZE) % 16) - 16,
  "below, its end on the kernel": -SIZE + 0x2000 - ((0x2000 - SIZE) % 16) - 16,
  "one unit below": -0x10,
  equal: 0,
  "on the trampoline": 0x80,
  "one unit below the kernel": HEADER - 0x10,
  "where the kernel is already": HEADER,
  "one unit above the kernel": HEADER + 0x10,
  "half way": WHOLE / 2 - ((WHOLE / 2) % 16),
  "on the tail": WHOLE - HEADER - ((WHOLE - HEADER) % 16),
  "on the end of the tail": WHOLE - 0x20 - (WHOLE % 16),
  "above, adjacent": WHOLE + 16 - (WHOLE % 16),
  "far above": 0x100_0000,
};
/** The same counted from where the device tree lies. */
const ON_TREE: Readonly<Record<string, number>> = {
  "ending below the device tree": -SIZE - 0x10 - ((-SIZE - 0x10) % 16) - 16,
  "its bss on the device tree": -SIZE + 0x1000 - ((0x1000 - SIZE) % 16) - 16,
  "its contents on the device tree": -0x1000,
  "exactly on the device tree": 0,
  "starting inside the device tree": 0x100,
};

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
  for (const [name, offset] of Object.entries(NEAR)) {
    test(`R5.2 ${bits}-bit, destination ${name}`, (t) => placed(t, bits, LOADED[bits] + offset));
  }
  for (const [name, offset] of Object.entries(ON_TREE)) {
    test(`R5.2 ${bits}-bit, destination ${name}`, (t) => placed(t, bits, TREE + offset));
  }
}

test("R5.2 a Thumb entry point is entered in Thumb state", async (t) => {
  const guest = makeGuest({ bits: 32, link: BigInt(RAM + 0x100_0000), uart: UART.QEMU, thumb: true });
  const { bytes, instructionSet } = convert(guest.elf, { to: "zimage" });
  assert.equal(instructionSet, "Thumb");
  const console = await bootDirectly(t, 32, bytes);
  if (console === undefined) return;
  const report = checkReport(console, guest, RAM + 0x100_0000);
  assert.equal(report["3"], THUMB_MARK);
});
