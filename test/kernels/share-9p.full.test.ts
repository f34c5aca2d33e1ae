/** R3.1 Linux's own 9P client on a shared folder, in Debian's generic kernel: what a program does with files, uncached and mapped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { moduleSet, pullModules } from "../../src/guests/index.js";
import { assertEnd, bootKernel, guestValue, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { randomBytes } from "../support/random.js";
import { requireGuest } from "../support/requires.js";
import { sharePart } from "../support/virtio-parts.js";

/** With what they need: netfs, fscache, 9pnet. */
const MODULES = ["virtio_mmio", "9pnet_virtio", "9p"];
const GUEST = "debian-amd64";
const BYTES = 1_500_000;
/** Names, large and small reads and writes, what lies behind the end, attributes of both kinds, a file that is gone but open. */
const WORK = `
mkdir -p /mnt; mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share0 /mnt || echo "not mounted"; cd /mnt
echo "mounted=$(grep ' 9p ' /proc/mounts)"; echo "text=$(cat deep/er/hello.txt)"; echo "list=$(ls -A | tr '\\n' ,)"
dd if=source of=copy bs=256k 2>/dev/null
dd if=source of=small bs=1000 count=300 2>/dev/null
for i in 1 2 3; do echo "line $i" >> appended; done
dd if=source of=holes bs=4096 seek=7 count=1 2>/dev/null
mkdir many; i=0; while [ $i -lt 150 ]; do : > many/file$i; i=$((i+1)); done
mv many/file7 many/moved; rm many/file8; ln many/file9 many/hard; ln -s file9 many/soft; mkfifo many/pipe; chmod 4711 many/file9
mkdir gone && rmdir gone || echo "rmdir failed"; mv many/moved .; truncate -s 5 moved; touch -d @1000000000 moved
exec 3<> open; echo still >&3; rm open; echo "open=$(cat /proc/self/fd/3)"; exec 3>&-
sync; cd /; umount /mnt; mount -t 9p -o trans=virtio,cache=mmap,msize=131072 share0 /mnt; cd /mnt
echo "sums=$(md5sum < source) $(md5sum < copy)"
echo "many=$(ls many | wc -l) $(stat -c %h-%a many/hard) $(readlink many/soft) $(stat -c %F many/pipe)"
echo "moved=$(stat -c %s-%Y moved)"; echo "appended=$(tr '\\n' , < appended)"; echo "free=$(df . | tail -1)"
echo "above=$(cd many/..; ls -d ../mnt/source)"
dmesg | grep -v "module verification" | grep -i -E "9p|virtio" | grep -i -E "error|warn|bug|fail"; true
`;

test("R3.1 Linux mounts a share over 9P and does with its files what a program does", async (t) => {
  const guest = await requireGuest(t, GUEST);
  if (guest === undefined) return;
  const { modules, missing } = await moduleSet(await pullModules(guest), MODULES);
  assert.deepEqual(missing, []);
  const load = modules.map(({ name }) => `insmod /modules/${name}.ko || echo "insmod failed"`);
  const folder = new MemoryFolder();
  folder.put("source", randomBytes(4, BYTES));
  folder.put("deep/er/hello.txt", "Hello from the host.\n");
  const boot = await bootKernel(t, {
    guest: GUEST,
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: {
      files: modules.map(({ name, bytes }) => ({ to: `/modules/${name}.ko`, bytes })),
      command: [...load, WORK].join("\n"),
    },
    shares: new Map([["share0", folder]]),
    more: { moreDevices: [sharePart(folder, "share0", {}, "virtio-9p")] },
  });
  if (boot === undefined) return;
  const value = (name: string): string => guestValue(boot.console, name);
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.match(value("mounted"), /^share0 \/mnt 9p rw/);
  assert.equal(value("text"), "Hello from the host.");
  assert.equal(value("list"), "deep,source,");
  assert.deepEqual(folder.get("copy"), folder.get("source"));
  assert.deepEqual(folder.get("small"), folder.get("source")!.subarray(0, 300_000));
  assert.deepEqual(folder.get("holes")!.subarray(0, 28672), new Uint8Array(28672));
  const [first, , second] = value("sums").split(/ +/);
  assert.equal(first, second);
  assert.equal(value("many"), "151 2-4711 file9 fifo");
  assert.equal(value("moved"), "5-1000000000");
  assert.equal(value("appended"), "line 1,line 2,line 3,");
  assert.equal(value("open"), "still");
  assert.equal(value("above"), "../mnt/source");
  assert.doesNotMatch(boot.console, /rror|not mounted|rmdir failed|insmod failed|9p.*fail/);
});
