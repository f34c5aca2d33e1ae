/**
 * Linux's drivers as judges of disks (R3.5, R3.6): fio writes in every size and order, and verifies; util-linux's blkdiscard discards and
 * zeroes; a disk's driver is taken away and given back 1,000 times. On a raw file and on qcow2, both written.
 */
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DOCUMENTATION } from "../../src/guests/initramfs/package-files.js";
import { guestValue, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { VIRTIO_MODULES } from "../support/kernel-modules.js";
import { randomBytes } from "../support/random.js";
import { requireGuest, requirePackages, requireTool } from "../support/requires.js";

const MIB = 2 ** 20;
const SIZE = 16 * MIB;
const LIMIT_S = 900;
const MODULES = [...VIRTIO_MODULES, "virtio_blk"];
const BINDINGS = 1000;

interface Outcome {
  console: string;
  /** The disks' bytes afterwards. */
  disks: readonly Uint8Array[];
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Runs a script with programs of packages, on a raw disk (vda) and a qcow2 one (vdb) of the same bytes; undefined after a skip. */
async function judged(
  t: TestContext,
  packages: readonly string[],
  bytes: Uint8Array,
  script: string,
): Promise<Outcome | undefined> {
  const kernel = await requireGuest(t, "debian-cloud");
  const qemuImg = requireTool(t, "qemu-img");
  if (kernel === undefined || qemuImg === undefined) return undefined;
  const set = await requirePackages(t, {
    packages: ["dash", ...packages, `${kernel.package}=${kernel.version}`],
    assume: ["kmod", "linux-base", "initramfs-tools"],
  });
  if (set === undefined) return undefined;
  const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
  const load = MODULES.map((name) => `insmod $(find /lib/modules -name ${name}.ko)`);
  const files = await kernelFiles(t, {
    packages: { ...set, omit: [...DOCUMENTATION, /^boot\//, otherModules] },
    command: ["set -e", ...load, script].join("\n"),
  });
  if (files === undefined) return undefined;
  const [raw, qcow2, flat] = ["disk.img", "disk.qcow2", "flat.img"].map((name) =>
    path.join(files.folder, name),
  );
  const tool = (...args: string[]): void => {
    const { status, stderr } = spawnSync(qemuImg, args, { encoding: "utf8" });
    assert.equal(status, 0, `qemu-img ${args.join(" ")}: ${stderr}`);
  };
  writeFileSync(raw, bytes);
  tool("convert", "-O", "qcow2", raw, qcow2);
  const machine = locore([
    ...["boot", files.kernel, "--initrd", files.initrd, "-m", "512M", "--timeout", String(LIMIT_S)],
    ...["--disk", `${raw},rw`, "--disk", `${qcow2},rw`],
    ...["--append", `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`],
  ]).during(t);
  machine.child.stdin.end();
  const { status, out, err } = await machine.ended;
  assert.match(out, /^locore: exit 0\r?$/m, `${out.slice(-3000)}${err}`);
  assert.equal(status, 0, err);
  tool("check", qcow2);
  tool("convert", "-O", "raw", qcow2, flat);
  return { console: out.replaceAll("\r", ""), disks: [readFileSync(raw), readFileSync(flat)] };
}

const FIO = `
for disk in vda vdb; do
  for way in "--rw=write --ioengine=psync" "--rw=randwrite --ioengine=libaio --iodepth=32" "--rw=randrw --ioengine=libaio --iodepth=8 --fsync=16"; do
    fio --name=judge --filename=/dev/$disk --direct=1 --size=8M --bsrange=512-256k --blockalign=512 $way \\
      --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=17 --thread --eta=never --output=/tmp/out || { cat /tmp/out; exit 1; }
    grep -q 'err= 0' /tmp/out && echo "judge: $disk $way"
  done
  fio --name=several --filename=/dev/$disk --direct=1 --numjobs=4 --size=2M --offset_increment=4M --bs=4k --rw=randwrite \\
    --ioengine=libaio --iodepth=16 --verify=sha256 --verify_fatal=1 --group_reporting --thread --eta=never --output=/tmp/out || { cat /tmp/out; exit 1; }
  echo "judge: $disk several"
done
`;

test("R3.5 R3.6 fio writes and verifies: sequential, random, in flight together, several at once; raw and qcow2", async (t) => {
  const found = await judged(t, ["fio"], new Uint8Array(SIZE), FIO);
  if (found === undefined) return;
  assert.equal(found.console.match(/^judge: vd[ab] /gm)?.length, 8, found.console.slice(-3000));
});

const DISCARD = `
for disk in vda vdb; do
  echo "$disk.before=$(sha256sum </dev/$disk)"
  /usr/sbin/blkdiscard -f -o $((4 << 20)) -l $((3 << 20)) /dev/$disk
  /usr/sbin/blkdiscard -f -z -o $((9 << 20)) -l $((2 << 20)) /dev/$disk
  echo "$disk.after=$(sha256sum </dev/$disk)"
done
`;

test("R3.5 R3.6 blkdiscard: what is discarded reads as before or as zeros, what is zeroed as zeros, all else stays; raw and qcow2", async (t) => {
  const bytes = randomBytes(99, SIZE);
  const found = await judged(t, ["util-linux"], bytes, DISCARD);
  if (found === undefined) return;
  found.disks.forEach((disk, i) => {
    const name = ["vda", "vdb"][i];
    assert.equal(guestValue(found.console, `${name}.before`).split(" ")[0], sha256(bytes));
    assert.equal(
      guestValue(found.console, `${name}.after`).split(" ")[0],
      sha256(disk),
      "the guest saw what is in the file",
    );
    const expected = bytes.slice().fill(0, 9 * MIB, 11 * MIB);
    const discarded = disk.subarray(4 * MIB, 7 * MIB);
    assert.ok(discarded.every((byte, at) => byte === 0 || byte === bytes[4 * MIB + at]));
    expected.set(discarded, 4 * MIB);
    assert.ok(Buffer.from(expected).equals(disk), `${name}: nothing else has changed`);
  });
});

const BINDING = `
cd /sys/bus/platform/drivers/virtio-mmio
device=$(basename $(readlink -f /sys/block/vdb/device/..))
turn=0
while [ $turn -lt ${BINDINGS} ]; do
  echo $device >unbind
  [ ! -e /sys/block/vdb ]
  echo $device >bind
  [ -e /sys/block/vdb ]
  turn=$((turn + 1))
done
echo "turns=$turn"
echo "vdb=$(sha256sum </dev/vdb)"
dd if=/dev/zero of=/dev/vdb bs=64k count=16 conv=fsync 2>/dev/null
`;

test(`R3.5 R3.6 a disk's driver is unbound and bound ${BINDINGS} times; the disk is read and written afterwards`, async (t) => {
  const bytes = randomBytes(5, SIZE);
  const found = await judged(t, ["util-linux"], bytes, BINDING);
  if (found === undefined) return;
  assert.equal(guestValue(found.console, "turns"), String(BINDINGS));
  assert.equal(guestValue(found.console, "vdb").split(" ")[0], sha256(bytes));
  assert.equal(sha256(found.disks[1]), sha256(bytes.slice().fill(0, 0, MIB)));
});
