/** Linux's own drivers on virtio disks: by the older registers, let go and taken again, and saved while one is copied (R3.5, R3.6, R6.2). */
import { test } from "node:test";
import assert from "node:assert/strict";
import { loadEngine } from "../../src/host/node/engines.js";
import { assertEnd, bootKernel, guestValue, kernelPlan } from "../support/kernel-boot.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { Random, randomBytes } from "../support/random.js";
import { TestConsole } from "../support/fake-machine.js";
import { fileOf, fromFile, newMachine } from "../support/snapshot-moves.js";
import { MIB, sha256, testCopy, withDisks } from "./virtio-disk.js";

testCopy("version 2", {});
testCopy("version 1, two CPUs", { virtio: { version: 1 }, cpus: 2 });

const BINDS = 50;
const JUDGED = `
for i in $(seq ${BINDS}); do
  echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/unbind
  [ -e /sys/block/vda ] && echo "still there"
  echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/bind || echo "not bound"
done
echo "sum=$(sha256sum < /dev/vda)"
blkdiscard -o 4096 -l 8192 /dev/vda || echo "no discard"
blkdiscard -z -o 65536 -l 65536 /dev/vda 2>/dev/null || dd if=/dev/zero of=/dev/vda bs=64k seek=1 count=1 conv=fsync 2>/dev/null
dmesg | grep -i -E "error|warn|bug|virtio_blk.*fail" | grep -v -i "acpi\|PCI: Fatal"
`;

test(`R3.6 Linux's driver lets a disk go and takes it again ${BINDS} times, discards, and complains of nothing`, async (t) => {
  const disk = new MemoryDisk(randomBytes(3, MIB));
  const before = sha256(disk.bytes);
  const discarded: number[][] = [];
  disk.discard = (offset, length) => void discarded.push([offset, length]);
  const asked = await withDisks(t, new Map([["disk0", disk]]), JUDGED);
  const boot = asked && (await bootKernel(t, asked));
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(guestValue(boot.console, "sum").split(" ")[0], before);
  assert.doesNotMatch(boot.console, /still there|not bound|no discard|rror/);
  assert.deepEqual(discarded, [[4096, 8192]]);
  assert.ok(disk.bytes.subarray(65536, 131072).every((byte) => byte === 0));
});

/** Longest way from one to the next, instructions: they lie in the copying, which takes some millions. */
const STRIDE = 600_000;
const CUTS = 4;

function copyOf(disks: ReadonlyMap<string, MemoryDisk>): Map<string, MemoryDisk> {
  return new Map([...disks].map(([name, { bytes }]) => [name, new MemoryDisk(bytes.slice())]));
}

test(`R6.2 R3.6 a machine that copies a disk is saved at ${CUTS} random instructions, and goes on with its disks as it would have`, async (t) => {
  const disks = new Map([
    ["disk0", new MemoryDisk(randomBytes(2, 4 * MIB))],
    ["disk1", new MemoryDisk(new Uint8Array(4 * MIB))],
  ]);
  const asked = await withDisks(
    t,
    disks,
    "echo copying; dd if=/dev/vda of=/dev/vdb bs=16k oflag=direct 2>/dev/null; cat /proc/interrupts | grep virtio",
  );
  const plan = asked && (await kernelPlan(t, { ...asked, memory: 128 * MIB }));
  if (plan === undefined) return;
  const engine = await loadEngine("wasm");
  const console = new TestConsole();
  const machine = newMachine(plan, { console, engine, disks });
  plan.regions = [];
  const random = new Random(9);
  const saved = [];
  while (!console.text.includes("copying")) machine.run(STRIDE);
  for (let cut = 0; cut < CUTS; cut++) {
    machine.run(1 + random.below(STRIDE));
    const written = disks.get("disk1")!.bytes.filter((byte) => byte !== 0).length;
    saved.push({ file: fileOf(machine), disks: copyOf(disks), text: console.text, written });
  }
  // Between nothing and all.
  assert.ok(
    saved.some(({ written }) => written > 0 && written < 4 * MIB - 2 * 0x4000),
    saved.map(({ written }) => written).join(),
  );
  machine.run(1e9);
  assert.equal(machine.end?.kind, "off", console.text);
  assert.equal(sha256(disks.get("disk1")!.bytes), sha256(disks.get("disk0")!.bytes));
  for (const { file, disks: then, text } of saved) {
    const again = new TestConsole();
    const other = fromFile(file, { console: again, engine, disks: then });
    other.run(1e9);
    assert.deepEqual(other.end, machine.end);
    assert.equal(other.instructions, machine.instructions);
    assert.equal(text + again.text, console.text);
    assert.equal(sha256(then.get("disk1")!.bytes), sha256(disks.get("disk1")!.bytes));
    other.dispose();
  }
  machine.dispose();
});
