/** `locore inspect`, `plan` and `boot` on disks (R3.6), by small images written here. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { locore } from "../support/cli.js";
import { composed, EXT_UUID, extImage, fatImage, writeGpt } from "../support/disk-images.js";
import { makeBzImage } from "../support/images.js";

const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
const GUID = "01234567-89ab-cdef-0123-456789abcdef";
const KERNEL = makeBzImage();

function file(name: string, bytes: Uint8Array): string {
  const place = path.join(folder, name);
  writeFileSync(place, bytes);
  return place;
}

function gpt(root: Uint8Array): Uint8Array {
  const disk = composed(1 << 20, [
    [8 * 512, fatImage({}, { label: "ESP" })],
    [400 * 512, root],
  ]);
  writeGpt(disk, [
    { type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", guid: GUID, first: 8, last: 399, name: "EFI" },
    { type: "0fc63daf-8483-4772-8e79-3d69d8477de4", guid: GUID, first: 400, last: 1000, name: "root" },
  ]);
  return disk;
}

const kernel = file("vmlinuz", KERNEL);
const disk = file(
  "disk.img",
  gpt(
    extImage({
      "/etc/fstab": "",
      "/sbin/init": "",
      "/vmlinuz": KERNEL,
      "/initrd": "the initrd",
      "/boot/grub/grub.cfg": `menuentry 'A system' { search --fs-uuid ${EXT_UUID} --set=root\nlinux /vmlinuz root=UUID=${EXT_UUID} ro quiet\ninitrd /initrd }\n`,
    }),
  ),
);

test("R3.6 inspect DISK: partitions with what they hold, what it boots and why, roots, facts with offsets", async () => {
  const { status, out } = await locore("inspect", disk);
  assert.equal(status, 0);
  for (const line of [
    /disk\.img: disk of 1 MiB, GPT, 2 partitions$/m,
    /^ {2}1 {3}0x1000 .*EFI System .*EFI .*vfat "ESP" ABCD-1234$/m,
    new RegExp(`^ {2}2 .*Linux filesystem .*root .*ext2 ${EXT_UUID}$`, "m"),
    /^ {2}boots 2\/vmlinuz with 2\/initrd$/m,
    /^ {4}"A system" by \/boot\/grub\/grub\.cfg of partition 2, its default "0"$/m,
    new RegExp(`^ {2}root of Linux: root=PARTUUID=${GUID} \\(partition 2: it has /etc`, "m"),
    /^ {2}00000420 {2}partition\[1\]\.start +0x1000 {2}\(bytes\)$/m,
  ])
    assert.match(out, line);
});

test("R3.6 inspect DISK --json: the same for programs", async () => {
  const { status, out } = await locore("inspect", disk, "--json");
  assert.equal(status, 0);
  const json = JSON.parse(out) as Record<string, never>;
  const { format, size, table, partitions, boot, root, problems } = json as Record<string, unknown>;
  assert.deepEqual([format, size, problems], ["disk", 1 << 20, []]);
  assert.deepEqual(
    { ...(table as object), id: "" },
    { scheme: "gpt", title: "GPT", sectorSize: 512, id: "" },
  );
  const [, second] = partitions as Record<string, unknown>[];
  assert.equal(second["label"], "2");
  assert.equal(second["uuid"], GUID);
  assert.deepEqual((second["fileSystem"] as Record<string, unknown>)["uuid"], EXT_UUID);
  assert.deepEqual(boot, {
    title: "A system",
    kernel: "2/vmlinuz",
    initrds: ["2/initrd"],
    commandLine: `root=UUID=${EXT_UUID} ro quiet`,
    why: '/boot/grub/grub.cfg of partition 2, its default "0"',
    notes: [],
  });
  assert.deepEqual((root as Record<string, { text: string }>)["Linux"].text, `root=PARTUUID=${GUID}`);
});

test("R3.6 inspect of a damaged disk says what is wrong, at its offset, and goes on", async () => {
  const damaged = gpt(extImage({ "/etc/x": "" }));
  damaged[512 + 60] ^= 1;
  const { status, out } = await locore("inspect", file("damaged.img", damaged));
  assert.equal(status, 0);
  assert.match(out, /problem at 0x210: found a checksum of/);
  assert.match(out, /ext2/);
  assert.match(out, /boots nothing by itself/);
});

interface PlanJson {
  commandLine: string;
  image: { name: string };
  modules: unknown[];
  request: Record<string, unknown>;
  devices: { name: string; config?: { sectors?: number } }[];
  regions: { name: string; content: { sha256: string } }[];
  added: { what: string; why: string }[];
}

async function planned(...args: string[]): Promise<PlanJson> {
  const { status, out, err } = await locore("plan", ...args, "--json");
  assert.equal(status, 0, err);
  return JSON.parse(out) as PlanJson;
}

test("R3.6 plan DISK: the kernel, the initrd and the line that the disk boots by itself, our console added, the disk attached", async () => {
  const plan = await planned(disk);
  assert.equal(plan.image.name, `${disk}:2/vmlinuz`);
  assert.equal(plan.commandLine, `root=UUID=${EXT_UUID} ro quiet console=ttyS0`);
  assert.ok(plan.regions.some(({ name }) => name === "initrd"));
  assert.equal(plan.devices.find(({ name }) => name === "disk0")?.config?.sectors, 2048);
  assert.match(plan.added[0].what, /^kernel 2\/vmlinuz with 2\/initrd of .*disk\.img$/);
  assert.match(plan.added[0].why, /"A system" by \/boot\/grub\/grub\.cfg of partition 2/);
});

test("R3.6 plan DISK: what the command line says comes first: its line, its initrd, how the disk is attached", async () => {
  const initrd = file("mine", new TextEncoder().encode("mine"));
  const plan = await planned(
    disk,
    "--append",
    "console=ttyS0 root=/dev/vdz",
    "--initrd",
    initrd,
    "--disk",
    `${disk},ro`,
  );
  assert.equal(plan.commandLine, "console=ttyS0 root=/dev/vdz");
  assert.equal((plan.request["initrd"] as { file: string }).file, initrd);
  assert.equal(plan.devices.filter(({ name }) => name.startsWith("disk")).length, 1);
  const filled = await planned(disk, "--append", "single");
  assert.equal(filled.commandLine, `single root=PARTUUID=${GUID}`);
});

test("R3.6 plan KERNEL DISK: root= by PARTUUID behind the usual words, or behind one's own; an own root= wins", async () => {
  assert.match(
    (await planned(kernel, disk)).commandLine,
    new RegExp(`^console=ttyS0.* root=PARTUUID=${GUID}$`),
  );
  assert.equal(
    (await planned(kernel, `${disk},ro`, "--append", "quiet")).commandLine,
    `quiet root=PARTUUID=${GUID}`,
  );
  assert.equal((await planned(kernel, disk, "--append", "root=/dev/vda9")).commandLine, "root=/dev/vda9");
  // A disk beside is told nothing of, unless it is said to be the root.
  assert.equal((await planned(kernel, "--append", "x", "--disk", disk)).commandLine, "x");
  assert.equal(
    (await planned(kernel, "--append", "x", "--disk", `${disk},root`)).commandLine,
    `x root=PARTUUID=${GUID}`,
  );
});

test("R3.6 a plan of a disk is made again from its own JSON, with the same kernel and line", async () => {
  for (const args of [[disk], [kernel, `${disk},ro`]]) {
    const first = await planned(...args);
    const again = await planned("--plan", file("plan.json", new TextEncoder().encode(JSON.stringify(first))));
    assert.equal(again.commandLine, first.commandLine);
    assert.deepEqual(
      again.regions.map(({ name, content }) => [name, content.sha256]),
      first.regions.map(({ name, content }) => [name, content.sha256]),
    );
  }
});

test("R3.6 boot of a disk without a kernel says what was looked at, with the status of a file that cannot be booted", async () => {
  const empty = file("empty.img", gpt(extImage({ "/etc/x": "" })));
  const { status, err } = await locore("boot", empty);
  assert.equal(status, (await locore("boot", path.join(folder, "missing"))).status);
  assert.match(err, /GPT, vfat in partition 1, ext2 in partition 2, and no kernel/);
  assert.match(err, /locore boot KERNEL DISK/);
});

test("R3.6 a second file that is no disk is refused, with what was probably meant", async () => {
  const initrd = file("second", new Uint8Array(100_000).fill(0x37));
  const { status, err } = await locore("plan", kernel, initrd);
  assert.notEqual(status, 0);
  assert.match(err, /second: at 0x0: found no partition table and no file system.*--initrd FILE/);
  assert.match((await locore("plan", kernel, kernel)).err, /no partition table/);
  assert.match((await locore("plan", kernel, path.join(folder, "missing"))).err, /missing: no such file/);
});

test("R3.6 a kernel is not taken for a disk, though its file ends its first sector as a boot sector does", async () => {
  const { out } = await locore("inspect", kernel);
  assert.match(out, /bzImage/);
});
