/**
 * Linux's own driver of virtio-fs on a shared folder (R3.1): mounted, read, written, and everything that a program does with files.
 */
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import type { BootOptions } from "../../src/boot/options.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  WITHOUT_CRYPTO_TESTS,
  type KernelBoot,
} from "../support/kernel-boot.js";
import { MemoryFolder } from "../support/memory-folder.js";
import { sharePart } from "../support/virtio-parts.js";

const MODULES = [...VIRTIO_MODULES, "fuse", "virtiofs"];

interface Shared {
  cache?: string;
  more?: Partial<BootOptions>;
}

/** Boots Debian's cloud kernel with the folder at /mnt. */
async function withShare(
  t: TestContext,
  folder: MemoryFolder,
  script: string,
  { cache = "auto", more = {} }: Shared = {},
): Promise<KernelBoot | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  const mounted = `${modules.load}\nmkdir -p /mnt\nmount -t virtiofs share0 /mnt || echo "not mounted"\ncd /mnt`;
  return bootKernel(t, {
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { packages: modules.packages, command: `${mounted}\n${script}` },
    shares: new Map([["share0", folder]]),
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
