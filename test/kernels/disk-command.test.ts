/**
 * `--disk` as a person has it, with Linux's own driver (R3.1, R3.6, R6.2): where what the guest writes goes, and that a machine that
 * was saved with a disk goes on with what it wrote.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
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

const WRITE = `head -c 2097152 /dev/zero | tr '\\0' Z | dd of=/dev/vda bs=64k seek=16 conv=fsync 2>/dev/null`;
const SUM = `echo 3 > /proc/sys/vm/drop_caches; echo "sum=$(sha256sum < /dev/vda)"`;

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
  "R3.1 R3.6 what a guest writes goes to the file, or to an overlay; each says the same to the guest",
  LIMIT,
  async (t) => {
    const qemuImg = requireTool(t, "qemu-img");
    const files = await guestFiles(t, `${WRITE}\n${SUM}`);
    if (files === undefined || qemuImg === undefined) return;
    const before = randomBytes(5, SIZE);
    const disk = path.join(files.folder, "disk.img");
    const overlay = path.join(files.folder, "over.qcow2");
    writeFileSync(disk, before);
    const run = async (words: string): Promise<void> => {
      const { status, out, err } = await locore(["boot", ...files.words, "--disk", words]).during(t).ended;
      assert.equal(status, 0, out + err);
      assert.ok(out.includes(`sum=${sha256(written(before))}`), out);
    };
    await run(disk);
    assert.equal(sha256(readFileSync(disk)), sha256(before), "the file was changed");
    await run(`${disk},overlay=${overlay}`);
    assert.equal(sha256(readFileSync(disk)), sha256(before), "the file below was changed");
    assert.equal(spawnSync(qemuImg, ["check", overlay]).status, 0);
    await run(`${disk},rw`);
    assert.equal(sha256(readFileSync(disk)), sha256(written(before)));
  },
);

test(
  "R3.6 R6.2 a machine that was saved goes on with what it wrote to its disk, and with no other disk",
  LIMIT,
  async (t) => {
    const files = await guestFiles(t, `${WRITE}\necho "cut here"; sleep 1\n${SUM}`);
    if (files === undefined) return;
    const before = randomBytes(6, SIZE);
    const [disk, copy, snapshot] = ["disk.img", "copy.img", "cut.snap"].map((name) =>
      path.join(files.folder, name),
    );
    writeFileSync(disk, before);
    copyFileSync(disk, copy);
    const cut = ["--snapshot-at", "cut here", "--snapshot", snapshot];
    const saved = await locore(["boot", ...files.words, "--disk", disk, ...cut]).during(t).ended;
    assert.equal(saved.status, 0, saved.out + saved.err);
    const restored = async (
      ...words: string[]
    ): Promise<{ status: number | null; out: string; err: string }> =>
      locore(["restore", snapshot, ...words]).during(t).ended;
    const inspected = await locore(["inspect", snapshot]).during(t).ended;
    assert.match(inspected.out, /disk0 +.*disk\.img, 8192 KiB, kept as it is, 2048 KiB written in memory/);
    for (let again = 0; again < 2; again++) {
      const { status, out, err } = await restored("--disk", disk);
      assert.equal(status, 0, out + err);
      assert.ok(out.includes(`sum=${sha256(written(before))}`), out);
    }
    const refusals: [words: string[], found: RegExp][] = [
      [[], /disk\.img: found 0 disks given; expected 1/],
      [["--disk", disk, "--disk", copy], /copy\.img: found a disk that the snapshot's machine did not have/],
      [["--disk", `${disk},rw`], /found a disk that is written .*expected a disk that is kept as it is/],
      [["--disk", `${disk},serial=other`], /found the serial number "other"/],
      [["--disk", copy], /copy\.img: found a file that was written at another time/],
    ];
    for (const [words, found] of refusals) {
      const { status, err } = await restored(...words);
      assert.equal(status, 8, err);
      assert.match(err, found);
    }
    utimesSync(disk, 1, 1);
    assert.match((await restored("--disk", disk)).err, /written at another time/);
    writeFileSync(disk, before.fill(1, 0, 512));
    assert.match((await restored("--disk", disk)).err, /found another beginning/);
    writeFileSync(disk, before.subarray(512));
    assert.match((await restored("--disk", disk)).err, /found a disk of \d+ bytes/);
  },
);
