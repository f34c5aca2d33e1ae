/** Exported configurations: their text to the letter, what is lost, and what is refused instead. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { exportGuest, type ExportRequest } from "../../src/export/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { childNode, readDeviceTree, treeText } from "../../src/formats/device-tree/device-tree.js";
import { makeArm64Image, makeFreeBsdArm, makeUImage, makeZImage } from "../support/arm-images.js";
import { locore } from "../support/cli.js";
import { makeBzImage } from "../support/images.js";
import { requireTool } from "../support/requires.js";

function request(bytes: Uint8Array, more: Partial<ExportRequest> = {}): ExportRequest {
  return { kernel: { name: "kernel.img", size: bytes.length, image: recognise(bytes) }, ...more };
}

const WHOLE: Partial<ExportRequest> = {
  name: "freebsd",
  memory: 300 * 2 ** 20,
  cpus: 1,
  commandLine: 'vfs.root.mountfrom="ufs:/dev/xbd0" \\x',
  initrd: { name: "initrd.img", size: 0x1234 },
  disks: ["root.img", "a, b.img"],
  modules: ["extra.ko"],
  ownOnly: ["--deterministic"],
};

test("R5.3 xl: a whole configuration, to the letter", () => {
  const { file, commands, lost } = exportGuest(request(makeZImage(), WHOLE), "xl");
  assert.equal(
    file.text,
    `# ARM zImage, runs anywhere
# Start it: xl create -c freebsd.cfg
# Lost: --deterministic (only this program's own machine has it)
# Lost: module extra.ko (Xen hands a guest a kernel and one RAM disk, no other modules)
# Note: the kernel's console is Xen's (xl console), or that of vuart = "sbsa_uart" if it has a driver for a PL011
name = "freebsd"
kernel = "kernel.img"
ramdisk = "initrd.img"
memory = 300
vcpus = 1
extra = "vfs.root.mountfrom=\\"ufs:/dev/xbd0\\" \\\\x"
disk = [ "format=raw, vdev=xvda, access=rw, target=root.img", "format=raw, vdev=xvdb, access=rw, target=a, b.img" ]
on_poweroff = "destroy"
on_reboot = "restart"
on_crash = "destroy"
`,
  );
  assert.deepEqual(commands, ["xl create -c freebsd.cfg"]);
  assert.deepEqual(
    lost.map(({ what }) => what),
    ["--deterministic", "module extra.ko"],
  );
});

test("R5.3 xl: defaults; more than one CPU on ARM is noted", () => {
  const { file } = exportGuest(request(makeArm64Image()), "xl");
  assert.match(file.text, /name = "guest"\nkernel = "kernel.img"\nmemory = 256\nvcpus = 1\non_poweroff/);
  const { notes } = exportGuest(request(makeArm64Image(), { cpus: 2 }), "xl");
  assert.match(notes[0], /one vCPU/);
});

test("R5.3 a kernel that the target refuses is refused here, with the check, the message and the way out", () => {
  const cases: [Uint8Array, "xl" | "dom0less", RegExp][] = [
    [makeFreeBsdArm(), "xl", /no loader found.*locore convert KERNEL --to zimage/],
    [makeFreeBsdArm(), "dom0less", /offset 0x24.*Could not set up DOM0.*locore convert/],
    [makeZImage({ start: 0x8000 }), "xl", /offset 0x28: found start 0x00008000; expected 0/],
    [makeUImage(), "xl", /no loader found/],
    [makeZImage({ end: 0x1000 }), "dom0less", /offset 0x2c/],
    [makeBzImage(), "dom0less", /on ARM only/],
  ];
  for (const [bytes, target, message] of cases) {
    assert.throws(
      () => exportGuest(request(bytes), target),
      (error) => error instanceof FormatError && message.test(error.message),
    );
  }
});

test("R5.3 dom0less: what Xen 4.17 takes is exported for 4.17", () => {
  const image = makeUImage({ data: makeZImage(), load: 0, entry: 0x8000 });
  assert.match(exportGuest(request(image), "dom0less").commands[3], /-kernel xen-4\.17-armhf/);
});

test("R5.3 names and texts that a syntax cannot hold are refused", () => {
  const image = makeZImage();
  for (const name of ["", "a b", "1x", "x;y", "a".repeat(40)]) {
    assert.throws(() => exportGuest(request(image, { name }), "dom0less"), RangeError, name);
  }
  assert.throws(() => exportGuest(request(image, { commandLine: "a\nb" }), "xl"), /control characters/);
});

test("R5.3 dom0less: the commands, and a disk is lost", () => {
  const { commands, lost } = exportGuest(request(makeZImage(), WHOLE), "dom0less");
  assert.deepEqual(commands, [
    "qemu-system-arm -M virt,virtualization=on,dumpdtb=virt.dtb -cpu cortex-a15 -m 1024 -nographic",
    "dtc -I dts -O dtb -o freebsd.dtbo freebsd.dts",
    "fdtoverlay -i virt.dtb -o xen.dtb freebsd.dtbo",
    "qemu-system-arm -M virt,virtualization=on -cpu cortex-a15 -m 1024 -kernel xen-4.17-armhf -dtb xen.dtb -device loader,file=kernel.img,addr=0x4a000000,force-raw=on -device loader,file=initrd.img,addr=0x4a200000,force-raw=on -nographic -no-reboot",
  ]);
  assert.match(lost.map(({ what }) => what).join(), /disk root.img,disk a, b.img/);
});

test("R5.3 dom0less: dtc compiles the fragment, and it says what was asked for", (t) => {
  const dtc = requireTool(t, "dtc");
  if (dtc === undefined) return;
  const { file } = exportGuest(request(makeZImage(), WHOLE), "dom0less");
  const made = spawnSync(dtc, ["-q", "-I", "dts", "-O", "dtb"], { input: file.text });
  assert.equal(made.status, 0, made.stderr.toString());
  const fragment = readDeviceTree(made.stdout).root.children[0];
  assert.equal(treeText(fragment, "target-path"), "/chosen");
  const guest = fragment.children[0].children.find(({ name }) => name === "freebsd");
  assert.ok(guest);
  assert.equal(treeText(guest, "compatible"), "xen,domain");
  const kernel = childNode(guest, "module@4a000000");
  assert.ok(kernel);
  assert.equal(treeText(kernel, "bootargs"), WHOLE.commandLine);
  const reg = kernel.properties.find(({ name }) => name === "reg");
  assert.deepEqual(Array.from(reg?.value ?? []), [0, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
});

test("R5.3 locore export: a file with its commands, JSON, an x86 kernel with the devices it loses", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-export-"));
  try {
    const kernel = path.join(folder, "kernel.zImage");
    const config = path.join(folder, "my.cfg");
    writeFileSync(kernel, makeZImage());
    const written = await locore(
      "export",
      kernel,
      "--to",
      "xl",
      "-m",
      "64M",
      "--smp",
      "2",
      "--out",
      config,
      "--cpu=-aes",
    );
    assert.deepEqual([written.status, written.err], [0, ""]);
    assert.match(written.out, /run {3}xl create -c \S*my\.cfg\n {2}lost {2}--cpu: only/);
    assert.match(readFileSync(config, "utf8"), /memory = 64\nvcpus = 2/);
    const json = JSON.parse((await locore("export", kernel, "--to", "dom0less", "--json")).out) as {
      file: { name: string };
    };
    assert.equal(json.file.name, "domU1.dts");
    assert.equal((await locore("export", kernel)).status, 2);
    assert.equal((await locore("export", kernel, "--to", "xl", "--name", "a b")).status, 2);
    const x86 = path.join(folder, "vmlinuz");
    writeFileSync(x86, makeBzImage());
    const { out } = await locore("export", x86, "--to", "xl", "--append", "console=ttyS0");
    assert.match(out, /type = "pvh"/);
    assert.match(out, /Lost: device uart16550/);
    assert.match(out, /console is hvc0/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("R5.3 text out of the kernel's file or of names stays in its comment", () => {
  const line = 'disk=["/dev/sda,raw,xvdz,rw"]';
  const x86 = request(makeBzImage({ version: `6.1\n${line}\r${line}` }), { ownOnly: [`a\n${line}`] });
  const xl = exportGuest({ ...x86, fileName: `x\n${line}` }, "xl").file.text;
  assert.ok(xl.includes(`6.1\\x0a${line}\\x0d${line}`));
  const settings = xl.split("\n").filter((one) => !one.startsWith("# "));
  assert.ok(
    settings.every((one) => !one.includes("sda")),
    xl,
  );
  const arm = request(makeZImage(), { modules: ["a */ / { evil; }; /*\n*/"], disks: ["*\u2028/ */"] });
  const dts = exportGuest(arm, "dom0less").file.text;
  assert.equal(dts.split("*/").length, dts.split("KiB */").length + 1, "one comment, and the unit's");
});
