/**
 * Disks that are booted as a person types it (R3.6): Debian's kernel and its initrd found on a disk, raw and as qcow2, and FreeBSD's
 * root, which nobody but us names. LOCORE_FREEBSD names the folder with FreeBSD's images; without it
 * they are not tested.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { initramfsBytes } from "../../src/guests/index.js";
import { composed, fatImage, writeGpt, type Files } from "../support/disk-images.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import { requireGuest, requireTool } from "../support/requires.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const GUID = "01234567-89ab-cdef-0123-456789abcdef";
const ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const MIB = 2 ** 20;

/** Runs locore to its end. */
function locore(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [PROGRAM, ...args, ...(args[0] === "boot" ? ["--timeout", "120"] : [])],
    {
      encoding: "utf8",
      input: "",
    },
  );
  return { status, out: stdout, err: stderr };
}

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "locore-test-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

/** A disk with Debian's kernel and an initrd of ours, which finds the disk by Linux's own drivers; undefined after a skip. */
async function debianDisk(t: TestContext, configuration: Files): Promise<Uint8Array | undefined> {
  const guest = await requireGuest(t, "debian-cloud");
  const busybox = guest && (await requireGuest(t, "busybox"));
  const modules = busybox && (await kernelModules(t, "debian-cloud", [...VIRTIO_MODULES, "virtio_blk"]));
  if (guest === undefined || busybox === undefined || modules === undefined) return undefined;
  const initrd = await initramfsBytes({
    busybox: busybox.files["busybox"],
    packages: modules.packages,
    command: `${modules.load}\necho "line=$(cat /proc/cmdline)"\ngrep vda /proc/partitions | tr -s ' '`,
  });
  const esp = fatImage(
    { "/vmlinuz-6.1": readFileSync(guest.files["kernel"]), "/initrd.img-6.1": initrd, ...configuration },
    { bits: 16, perCluster: 8, clusters: 16_000 },
  );
  const first = 2048;
  const last = first + esp.length / 512 - 1;
  const disk = composed(esp.length + 2 * MIB, [[first * 512, esp]]);
  writeGpt(disk, [{ type: ESP, guid: GUID, first, last, name: "boot" }]);
  return disk;
}

const GRUB = `
set default=debian
menuentry 'no' { linux /nothing }
menuentry 'Debian' --id debian {
  search --no-floppy --fs-uuid --set=root ABCD-1234
  linux /boot/vmlinuz-6.1 root=UUID=x ro quiet ${WITHOUT_CRYPTO_TESTS}
  initrd /boot/initrd.img-6.1
}
`;

function check({ status, out, err }: ReturnType<typeof locore>, why: RegExp): void {
  assert.equal(status, 0, `${out}${err}`);
  assert.match(err, why);
  assert.match(out, new RegExp(`line=root=UUID=x ro quiet ${WITHOUT_CRYPTO_TESTS} console=ttyS0\\r?\\n`));
  // The disk and its partition are there.
  assert.match(out, /25\d 0 \d+ vda/);
  assert.match(out, /25\d 1 \d+ vda1/);
}

test("R3.6 locore boot DISK: Debian's kernel, initrd and line by grub.cfg, with our console, the disk attached; the same plan of a qcow2", async (t) => {
  const disk = await debianDisk(t, { "/grub/grub.cfg": GRUB });
  if (disk === undefined) return;
  const place = folder(t);
  const raw = path.join(place, "debian.img");
  writeFileSync(raw, disk);
  check(
    locore("boot", raw),
    /kernel 1\/vmlinuz-6\.1 with 1\/initrd\.img-6\.1 of .*"Debian" by \/grub\/grub\.cfg/,
  );
  assert.ok(readFileSync(raw).equals(disk), "the image is as it was");
  const qemuImg = requireTool(t, "qemu-img");
  if (qemuImg === undefined) return;
  const qcow2 = path.join(place, "debian.qcow2");
  assert.equal(spawnSync(qemuImg, ["convert", "-c", "-O", "qcow2", raw, qcow2]).status, 0);
  const planned = [raw, qcow2].map((file) => {
    const { status, out, err } = locore("plan", file, "--json", "--rtc", "2024-02-29T12:00:00Z");
    assert.equal(status, 0, err);
    const plan = JSON.parse(out) as { commandLine: string; regions: object[]; bootCpu: object };
    return [plan.commandLine, plan.regions, plan.bootCpu];
  });
  assert.deepEqual(planned[1], planned[0]);
});

const freebsd = process.env["LOCORE_FREEBSD"] ?? "";
const KERNEL = path.join(freebsd, "freebsd-net.kernel");
const ROOT = path.join(freebsd, "freebsd-root.ufs");
const there = freebsd !== "" && existsSync(KERNEL) && existsSync(ROOT);

if (there)
  test("R3.6 locore boot KERNEL DISK: FreeBSD mounts a root that nobody but us names, and says so", () => {
    const { status, out, err } = locore("boot", KERNEL, ROOT);
    assert.equal(status, 0, `${out}${err}`);
    assert.match(err, /vfs\.root\.mountfrom=ufs:\/dev\/vtbd0": the whole disk/);
    assert.match(out, /Trying to mount root from ufs:\/dev\/vtbd0/);
    assert.match(out, /locore-init: children ok 200 bad 0/);
  });
