/**
 * `--disk` as a person has it, with Linux's own driver (R3.1, R3.6, R6.2): where what the guest writes goes, and that a machine that
 * was saved with a disk goes on with what it wrote.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import { randomBytes } from "../support/random.js";
import { requireTool } from "../support/requires.js";

const LIMIT = { timeout: 280_000 };
const MIB = 2 ** 20;
const SIZE = 8 * MIB;
const COMMAND_LINE = `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`;
const MODULES = [...VIRTIO_MODULES, "virtio_blk"];
const FILL = 0x5a;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What the guest's disk holds once it has filled its second and third MiB. */
function written(before: Uint8Array): Uint8Array {
  return before.slice().fill(FILL, MIB, 3 * MIB);
}

function write(disk: string): string {
  return `head -c 2097152 /dev/zero | tr '\\0' Z | dd of=/dev/${disk} bs=64k seek=16 conv=fsync 2>/dev/null`;
}

function sum(disk: string): string {
  return `echo 3 > /proc/sys/vm/drop_caches; echo "${disk}=$(sha256sum < /dev/${disk})"`;
}

async function guestFiles(
  t: TestContext,
  script: string,
): Promise<{ folder: string; words: string[] } | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  const files = await kernelFiles(t, { packages: modules.packages, command: `${modules.load}\n${script}` });
  return (
    files && {
      folder: files.folder,
      words: [files.kernel, "--initrd", files.initrd, "--append", COMMAND_LINE],
    }
  );
}

test(
  "R3.1 R3.6 what a guest writes goes to the file, or to an overlay, and reads the same",
  LIMIT,
  async (t) => {
    const qemuImg = requireTool(t, "qemu-img");
    const script = ["vda", "vdb"].flatMap((disk) => [write(disk), sum(disk)]).join("\n");
    const files = await guestFiles(t, script);
    if (files === undefined || qemuImg === undefined) return;
    const before = randomBytes(5, SIZE);
    const [disk, below, overlay] = ["disk.img", "below.img", "over.qcow2"].map((name) =>
      path.join(files.folder, name),
    );
    writeFileSync(disk, before);
    writeFileSync(below, before);
    const disks = ["--disk", `${disk},rw`, "--disk", `${below},overlay=${overlay}`];
    const { status, out, err } = await locore(["boot", ...files.words, ...disks]).during(t).ended;
    assert.equal(status, 0, out + err);
    for (const name of ["vda", "vdb"]) assert.ok(out.includes(`${name}=${sha256(written(before))}`), out);
    assert.equal(sha256(readFileSync(disk)), sha256(written(before)));
    assert.equal(sha256(readFileSync(below)), sha256(before), "the file below was changed");
    assert.equal(spawnSync(qemuImg, ["check", overlay]).status, 0);
  },
);

test("R3.6 R6.2 a machine that was saved goes on with what it wrote to its disk", LIMIT, async (t) => {
  const files = await guestFiles(t, `${write("vda")}\necho "cut here"; sleep 1\n${sum("vda")}`);
  if (files === undefined) return;
  const before = randomBytes(6, SIZE);
  const [disk, snapshot] = ["disk.img", "cut.snap"].map((name) => path.join(files.folder, name));
  writeFileSync(disk, before);
  const cut = ["--snapshot-at", "cut here", "--snapshot", snapshot];
  const saved = await locore(["boot", ...files.words, "--disk", disk, ...cut]).during(t).ended;
  assert.equal(saved.status, 0, saved.out + saved.err);
  const inspected = await locore(["inspect", snapshot]).during(t).ended;
  assert.match(inspected.out, /disk0 +.*disk\.img, 8192 KiB, kept as it is, 2048 KiB written in memory/);
  const again = await locore(["restore", snapshot, "--disk", disk]).during(t).ended;
  assert.equal(again.status, 0, again.out + again.err);
  assert.ok(again.out.includes(`vda=${sha256(written(before))}`), again.out);
  assert.equal(sha256(readFileSync(disk)), sha256(before), "the file was changed");
});
