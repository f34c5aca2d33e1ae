/**
 * Linux's own driver of virtio-fs on a shared folder (R3.1): mounted, read, written, and everything that a program does with files.
 */
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import type { BootOptions } from "../../src/boot/options.js";
import type { ShareCache } from "../../src/share/share-options.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  WITHOUT_CRYPTO_TESTS,
  type KernelBoot,
} from "../support/kernel-boot.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { randomBytes } from "../support/random.js";
import { sharePart } from "../support/virtio-parts.js";

const MODULES = [...VIRTIO_MODULES, "fuse", "virtiofs"];

interface Shared {
  cache?: ShareCache;
  more?: Partial<BootOptions>;
  maxResets?: number;
}

/** Boots Debian's cloud kernel with the folder at /mnt. */
async function withShare(
  t: TestContext,
  folder: MemoryFolder,
  script: string,
  { cache = "auto", more = {}, maxResets }: Shared = {},
): Promise<KernelBoot | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  const mounted = `${modules.load}\nmkdir -p /mnt\nmount -t virtiofs share0 /mnt || echo "not mounted"\ncd /mnt`;
  return bootKernel(t, {
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { packages: modules.packages, command: `${mounted}\n${script}` },
    shares: new Map([["share0", folder]]),
    ...(maxResets !== undefined && { maxResets }),
    more: { moreDevices: [sharePart(folder, "share0", { cache })], ...more },
  });
}

test("R3.1 Linux mounts a share by its tag, lists it and reads what is in it", async (t) => {
  const folder = new MemoryFolder(true);
  folder.put("hello.txt", "Hello from the host.\n");
  folder.put("deep/er/file", "x".repeat(300_000));
  const boot = await withShare(
    t,
    folder,
    `echo "mounted=$(grep virtiofs /proc/mounts)"; ls -la; echo "text=$(cat hello.txt)"; echo "size=$(wc -c < deep/er/file)"; echo "sum=$(md5sum < deep/er/file)"; echo no > hello.txt`,
  );
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.match(guestValue(boot.console, "mounted"), /^share0 \/mnt virtiofs /);
  assert.equal(guestValue(boot.console, "text"), "Hello from the host.");
});

const BYTES = 1_500_000;
/** Large writes, small ones, what lies behind the end, and names; then all of it again without what the guest remembers. */
const WORK = `
head -c ${BYTES} source | dd of=copy bs=256k 2>/dev/null
dd if=source of=small bs=1000 count=300 2>/dev/null
for i in 1 2 3; do echo "line $i" >> appended; done
dd if=source of=holes bs=4096 seek=7 count=1 2>/dev/null
mkdir many; i=0; while [ $i -lt 150 ]; do : > many/file$i; i=$((i+1)); done
mv many/file7 many/moved; rm many/file8; ln many/file9 many/hard; ln -s file9 many/soft; chmod 4711 many/file9
sync; echo 3 > /proc/sys/vm/drop_caches
echo "sums=$(md5sum < source) $(md5sum < copy)"
echo "many=$(ls many | wc -l) $(stat -c %h-%a many/hard) $(readlink many/soft)"
echo "appended=$(tr '\\n' , < appended)"
dmesg | grep -i -E "fuse|virtio" | grep -i -E "error|warn|bug|fail"; true
`;

for (const [how, options] of [
  ["cache=none, two CPUs", { cache: "none", more: { cpus: 2 } }],
  ["cache=always, legacy registers", { cache: "always", more: { virtio: { version: 1 } } }],
] as const)
  test(`R3.1 R3.5 what Linux writes to a share is there, and read again: ${how}`, async (t) => {
    const folder = new MemoryFolder();
    folder.put("source", randomBytes(4, BYTES));
    const boot = await withShare(t, folder, WORK, options);
    if (boot === undefined) return;
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.deepEqual(folder.get("copy"), folder.get("source"));
    assert.deepEqual(folder.get("small"), folder.get("source")!.subarray(0, 300_000));
    assert.deepEqual(folder.get("holes")!.subarray(0, 28672), new Uint8Array(28672));
    const [first, , second] = guestValue(boot.console, "sums").split(/ +/);
    assert.equal(first, second);
    assert.equal(guestValue(boot.console, "many"), "151 2-4711 file9");
    assert.equal(guestValue(boot.console, "appended"), "line 1,line 2,line 3,");
    assert.doesNotMatch(boot.console, /rror|virtio.*fail/);
  });

test("R3.1 R3.8 a guest that is reset finds its share as it left it, and nothing of the life before is held", async (t) => {
  const folder = new MemoryFolder();
  const script = `if [ -e first ]; then echo "again=$(cat first)"; else echo written > first; exec 3< first; reboot -f; fi`;
  const boot = await withShare(t, folder, script, { maxResets: 1 });
  if (boot === undefined) return;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.equal(boot.report.stats.resets, 1);
  assert.equal(guestValue(boot.console, "again"), "written");
  assert.equal(folder.opened, 0);
});
