/** `--disk` and QEMU's words for it (R3.1, R3.6). */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { UsageError } from "../../src/cli/args.js";
import { parseDisk } from "../../src/cli/disk-option.js";
import { DRIVE_OF_FILE, drive } from "../../src/cli/qemu/drives.js";
import type { DiskRequest } from "../../src/host/node/disk-request.js";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";

const GOOD: [text: string, disk: DiskRequest][] = [
  ["a.img", { file: "a.img", access: "memory" }],
  ["a.img,rw", { file: "a.img", access: "write" }],
  ["a.img,ro,serial=S-1", { file: "a.img", access: "read", serial: "S-1" }],
  ["a,,b.img", { file: "a,b.img", access: "memory" }],
  ["file=a=b.img,format=raw", { file: "a=b.img", access: "memory", format: "raw" }],
  ["a.img,overlay=o.qcow2", { file: "a.img", access: "write", overlay: "o.qcow2" }],
];
for (const [text, disk] of GOOD) test(`R3.1 --disk ${text}`, () => assert.deepEqual(parseDisk(text), disk));

for (const text of [
  "",
  ",rw",
  "a,rw,ro",
  "a,rw,overlay=b",
  "a,rw=1",
  "a,format=vmdk",
  "a,serial=123456789012345678901",
  "a,what",
])
  test(`R3.1 --disk ${JSON.stringify(text)} is refused`, () =>
    assert.throws(() => parseDisk(text), UsageError));

const QEMU: [value: string, arg: string][] = [
  ["file=d.img,format=raw,if=virtio", "file=d.img,rw,format=raw"],
  ["file=d.img,if=none,id=x,cache=none,readonly=on", "file=d.img,ro"],
  ["file=d.img,if=virtio,snapshot=on,serial=A", "file=d.img,serial=A"],
  ["d,,e.img,if=virtio", "file=d,,e.img,rw"],
];
for (const [value, arg] of QEMU)
  test(`R3.1 -drive ${value} is --disk ${arg}`, () => {
    const ruling = drive.judge(value, 0);
    assert.deepEqual(ruling, { taken: true, args: ["--disk", arg] });
  });

test("R3.1 -hda is a virtio disk, and says so", () => {
  const ruling = DRIVE_OF_FILE.judge("d.img", 0);
  assert.ok(ruling.taken);
  assert.deepEqual(ruling.args, ["--disk", "file=d.img,rw"]);
  assert.match(ruling.note ?? "", /vda/);
});

for (const value of ["if=virtio", "file=d,if=floppy", "file=d,format=vmdk", "file=d,iops=3"])
  test(`R3.1 -drive ${value} is refused`, () => assert.equal(drive.judge(value, 0).taken, false));

test("R1.6 plan --json names the disks, and --plan makes the same machine of them; what is not known is refused", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
  const at = (name: string): string => path.join(folder, name);
  try {
    writeFileSync(at("kernel"), makeBzImage());
    writeFileSync(at("a,b.img"), new Uint8Array(4 * 512));
    writeFileSync(at("c.img"), new Uint8Array(8 * 512));
    const disks = [`${at("a,,b.img")},ro,serial=S1`, `file=${at("c.img")},overlay=${at("o.qcow2")}`];
    // A fixed clock: with "now" the two plans differ when a second passes between them.
    const clock = ["--rtc", "2024-02-29T12:00:00Z"];
    const made = await locore(
      "plan",
      at("kernel"),
      "--json",
      ...clock,
      ...disks.flatMap((disk) => ["--disk", disk]),
    );
    assert.equal(made.status, 0, made.err);
    const plan = JSON.parse(made.out) as {
      request: { disks: DiskRequest[] };
      devices: { name: string; config?: object }[];
    };
    const parts = plan.devices.filter(({ name }) => name.startsWith("disk"));
    assert.deepEqual(
      parts.map(({ config }) => config),
      [
        { disk: "disk0", sectors: 4, readOnly: true, serial: "S1" },
        { disk: "disk1", sectors: 8, readOnly: false, serial: "" },
      ],
    );
    assert.equal(existsSync(at("o.qcow2")), false, "planning made an overlay");
    writeFileSync(at("plan.json"), made.out);
    const again = await locore("plan", "--plan", at("plan.json"), "--json");
    assert.equal(again.status, 0, again.err);
    assert.equal(again.out, made.out);
    writeFileSync(at("plan.json"), made.out.replace('"access": "read"', '"access": "all"'));
    const bad = await locore("plan", "--plan", at("plan.json"));
    assert.match(bad.err, /request\.disks\[0\]\.access: found "all"/);
    const gone = await locore("plan", at("kernel"), "--disk", at("none.img"));
    assert.equal(gone.status, 8);
    assert.match(gone.err, /none\.img: found no such file/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
