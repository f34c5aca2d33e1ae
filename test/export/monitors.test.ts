/** R6.5 guests for other x86 monitors: the text, what is lost, what is refused instead; QEMU's script runs. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { convert } from "../../src/convert/index.js";
import {
  exportGuest,
  EXPORT_TARGETS,
  type ExportRequest,
  type ExportTarget,
} from "../../src/export/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { PT } from "../../src/spec/elf.js";
import { makeZImage } from "../support/arm-images.js";
import { locore } from "../support/cli.js";
import { makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { requireTool } from "../support/requires.js";
import { linuxKernel, multibootKernel, pvhKernel } from "../verdicts/x86-collection.js";

const LIMIT_MS = 60_000;

function request(bytes: Uint8Array, more: Partial<ExportRequest> = {}): ExportRequest {
  return { kernel: { name: "/k/kernel img", size: bytes.length, image: recognise(bytes) }, ...more };
}

const WHOLE: Partial<ExportRequest> = {
  name: "web",
  memory: 300 * 2 ** 20,
  cpus: 2,
  commandLine: "console=ttyS0 a='b c' virtio_mmio.device=512@0xd0000000:5",
  initrd: { name: "/k/initrd", size: 99 },
  disks: ["/k/a,b.img"],
  ownOnly: ["--deterministic"],
};
const X86_TARGETS = EXPORT_TARGETS.filter((name) => name !== "xl" && name !== "dom0less");

/** The last line of a script. */
function lastLine(target: ExportTarget): string {
  const { file, lost, commands } = exportGuest(request(linuxKernel(), WHOLE), target);
  assert.deepEqual(lost, [{ what: "--deterministic", why: "only this program's own machine has it" }]);
  assert.deepEqual(commands, ["sh web.sh"]);
  assert.match(file.text, /^#!\/bin\/sh\n# Linux bzImage.*\n# Lost: --deterministic/);
  return file.text.trimEnd().split("\n").at(-1) ?? "";
}

const LINE = "'console=ttyS0 a='\\''b c'\\'''";

test("R6.5 qemu, cloud-hypervisor, crosvm, kvmtool: the same kernel, line, memory, CPUs and disks, quoted for a shell", () => {
  assert.equal(
    lastLine("qemu"),
    `exec qemu-system-x86_64 -M microvm -accel kvm -accel tcg -m 300 -smp 2 -kernel '/k/kernel img' -initrd /k/initrd -append ${LINE} -drive if=none,id=disk0,format=raw,file=/k/a,,b.img -device virtio-blk-device,drive=disk0 -nodefaults -no-user-config -display none -serial stdio -no-reboot`,
  );
  assert.equal(
    lastLine("cloud-hypervisor"),
    `exec cloud-hypervisor --kernel '/k/kernel img' --initramfs /k/initrd --cmdline ${LINE} --cpus boot=2 --memory size=300M --disk path=/k/a,b.img --serial tty --console off`,
  );
  assert.match(
    lastLine("crosvm"),
    /^exec crosvm run --cpus 2 --mem 300 --initrd .* --block path=\/k\/a,b\.img,ro=false .*'\/k\/kernel img'$/,
  );
  assert.match(
    lastLine("kvmtool"),
    /^exec lkvm run --kernel '\/k\/kernel img' .* --mem 300 --cpus 2 --console serial --disk \/k\/a,b\.img$/,
  );
});

test("R6.5 firecracker: its configuration file, and the version that a bzImage needs", () => {
  const { file, notes, commands } = exportGuest(request(linuxKernel(), WHOLE), "firecracker");
  assert.deepEqual(JSON.parse(file.text), {
    "boot-source": {
      kernel_image_path: "/k/kernel img",
      initrd_path: "/k/initrd",
      boot_args: "console=ttyS0 a='b c'",
    },
    drives: [{ drive_id: "disk0", path_on_host: "/k/a,b.img", is_root_device: false, is_read_only: false }],
    "machine-config": { vcpu_count: 2, mem_size_mib: 300 },
  });
  assert.match(notes.join(), /after 1\.16\.1/);
  assert.deepEqual(commands, ["firecracker --no-api --config-file web.json"]);
});

test("R6.5 libvirt: XML in which no name ends an element", () => {
  const evil = { ...WHOLE, commandLine: "a=<b>&\"'", disks: ["x.img"] };
  const { file, notes } = exportGuest(request(linuxKernel(), evil), "libvirt");
  assert.match(file.text, /<cmdline>a=&#60;b&#62;&#38;&#34;&#39;<\/cmdline>/);
  assert.match(file.text, /<memory unit="MiB">300<\/memory>\n {2}<vcpu>2<\/vcpu>/);
  assert.match(notes.join(), /absolute paths: x\.img/);
});

test("R6.5 bhyve: FreeBSD's kernels by bhyveload, words of the line that are no settings are lost", () => {
  const notes = makeNotes([{ name: "FreeBSD", type: 1, desc: new Uint8Array(4) }, makePvhNote(0x20_0000, 4)]);
  const kernel = makeElf({
    segments: [
      { vaddr: 0x20_0000, bytes: new Uint8Array(16) },
      { type: PT.NOTE, bytes: notes },
    ],
  });
  const { file, lost } = exportGuest(
    request(kernel, { commandLine: "-v kern.x=1", disks: ["root.img"] }),
    "bhyve",
  );
  assert.match(file.text, /^bhyveload -m 256M -c stdio -h guest\.boot -e kern\.x=1 guest$/m);
  assert.match(file.text, /-s 4,virtio-blk,root\.img guest\nbhyvectl --destroy --vm=guest\n$/);
  assert.deepEqual(
    lost.map(({ what }) => what),
    ["word -v"],
  );
  assert.throws(() => exportGuest(request(linuxKernel()), "bhyve"), /virtual machine cannot be booted/);
});

test("R6.5 what the target would refuse is refused here, in its words, at the byte; a kernel for ARM too", () => {
  const plain = makeElf({ entry: 0x20_0000, segments: [{ vaddr: 0x20_0000, bytes: new Uint8Array(64) }] });
  assert.throws(
    () => exportGuest(request(plain), "qemu"),
    (error) =>
      error instanceof FormatError &&
      error.offset === 32 &&
      /without PVH ELF Note.*CONFIG_PVH/.test(error.message),
  );
  assert.throws(() => exportGuest(request(multibootKernel()), "firecracker"), /Invalid program header size/);
  for (const target of X86_TARGETS)
    assert.throws(() => exportGuest(request(makeZImage()), target), /a kernel for x86/);
});

test("R6.5 modules go with a Multiboot kernel to QEMU, and are lost elsewhere", () => {
  const modules = { modules: ["one", "two"] };
  const qemu = exportGuest(request(multibootKernel(), modules), "qemu");
  assert.match(qemu.file.text, / -initrd one,two /);
  assert.deepEqual(qemu.lost, []);
  assert.deepEqual(
    exportGuest(request(pvhKernel(), modules), "qemu").lost.map(({ what }) => what),
    ["module one", "module two"],
  );
});

test("R6.5 a kernel that the target takes only in another kind of file is converted, and the configuration names that", () => {
  const bzImage = linuxKernel({ payload: gzipSync(pvhKernel()) });
  const firecracker = exportGuest(request(bzImage, { ...WHOLE, fileName: "out/vm.json" }), "firecracker");
  assert.match(firecracker.file.text, /"kernel_image_path": "out\/web\.vmlinux"/);
  assert.deepEqual(firecracker.converted?.bytes, convert(bzImage, { to: "vmlinux" }).bytes);
  assert.match(
    firecracker.notes[0],
    /^out\/web\.vmlinux is \/k\/kernel img, converted \(locore convert --to vmlinux\)$/,
  );
  const multiboot = multibootKernel({ elfClass: 64 });
  for (const target of ["qemu", "libvirt"] as const) {
    const { file, converted } = exportGuest(request(multiboot), target);
    assert.match(file.text, /guest\.elf32/);
    assert.equal(converted?.way, "elf32");
  }
  const modules = exportGuest(request(multiboot, { modules: ["one"] }), "qemu");
  assert.match(modules.file.text, /# Note: guest\.elf32 is [^]* -kernel guest\.elf32 -initrd one /);
  const packed = exportGuest(request(gzipSync(pvhKernel())), "cloud-hypervisor");
  assert.deepEqual([packed.converted?.way, packed.converted?.bytes], ["unpacked", pvhKernel()]);
  assert.equal(exportGuest(request(pvhKernel()), "qemu").converted, undefined);
});

test("R6.5 the converted kernel is written beside the configuration, with --out; without, it is told of; the kernel itself is never replaced", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-export-"));
  try {
    const kernel = path.join(folder, "kernel");
    writeFileSync(kernel, multibootKernel({ elfClass: 64 }));
    const out = path.join(folder, "run.sh");
    const written = await locore("export", kernel, "--to", "qemu", "--out", out);
    assert.deepEqual([written.status, written.err], [0, ""]);
    assert.match(written.out, /note {2}\S+guest\.elf32 is \S+kernel, converted/);
    const { bytes } = convert(readFileSync(kernel), { to: "elf32" });
    assert.deepEqual(new Uint8Array(readFileSync(path.join(folder, "guest.elf32"))), bytes);
    const printed = await locore("export", kernel, "--to", "qemu");
    assert.match(printed.out, /-kernel guest\.elf32/);
    assert.match(printed.err, /guest\.elf32 is written only with --out/);
    const clash = path.join(folder, "mine.elf32");
    writeFileSync(clash, readFileSync(kernel));
    const refused = await locore("export", clash, "--to", "qemu", "--name", "mine", "--out", out);
    assert.equal(refused.status, 2);
    assert.match(refused.err, /is the kernel itself/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Prints on COM1, then ends the machine by a triple fault. */
function talkingKernel(words: string, by: "PVH" | "Multiboot"): Uint8Array {
  const base = 0x20_0000;
  const header = [0x02, 0xb0, 0xad, 0x1b, 0, 0, 0, 0, 0xfe, 0x4f, 0x52, 0xe4];
  const front = by === "PVH" ? new Array<number>(12).fill(0) : header;
  const code = [
    ...[0xba, 0xf8, 0x03, 0, 0], // mov edx, 0x3f8
    ...Array.from(words).flatMap((letter) => [0xb0, letter.charCodeAt(0), 0xee]), // mov al, letter; out dx, al
    ...[0x0f, 0x01, 0x1d, 4, 0, 0x20, 0], // lidt [base + 4]: a limit of 0
    0xcc,
  ];
  const notes = { type: PT.NOTE, bytes: makeNotes([makePvhNote(base + 12)]) };
  const load = { vaddr: base, bytes: Uint8Array.from([...front, ...code]) };
  return makeElf({ entry: base + 12, segments: by === "PVH" ? [load, notes] : [load] });
}

for (const by of ["PVH", "Multiboot"] as const) {
  const how = by === "PVH" ? "" : ", from the converted kernel beside it";
  test(`R6.5 QEMU's script runs${how}: the guest says there what it says here`, async (t) => {
    if (requireTool(t, "qemu-system-x86_64") === undefined) return;
    const folder = mkdtempSync(path.join(tmpdir(), "locore-export-"));
    try {
      const kernel = path.join(folder, "kernel");
      writeFileSync(kernel, talkingKernel("same\n", by));
      const here = await locore("boot", kernel, "-m", "64M");
      const { status, err } = await locore(
        "export",
        kernel,
        "--to",
        "qemu",
        "-m",
        "64M",
        "--out",
        path.join(folder, "run.sh"),
      );
      assert.equal(status, 0, err);
      assert.match(here.out, /same/);
      // The guest stops there for good, and QEMU with it.
      const there = spawn("sh", ["run.sh"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
      const limit = setTimeout(() => there.kill(), LIMIT_MS);
      let shown = "";
      for await (const chunk of there.stdout) {
        shown += String(chunk);
        if (shown.includes("\n")) there.kill();
      }
      clearTimeout(limit);
      assert.equal(shown.replaceAll("\r", ""), "same\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("plan --diff: what is different between two plans, a line a field, status 1; the same plan, nothing and 0", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-diff-"));
  try {
    const kernel = path.join(folder, "kernel");
    writeFileSync(kernel, pvhKernel());
    const files: string[] = [];
    for (const cpus of ["1", "2"]) {
      const { out, err } = await locore("plan", kernel, "--smp", cpus, "--rtc", "2024-01-01", "--json");
      assert.equal(err, "");
      files.push(path.join(folder, `${cpus}.json`));
      writeFileSync(files[files.length - 1], out);
    }
    const different = await locore("plan", "--diff", ...files);
    assert.equal(different.status, 1);
    assert.match(different.out, /^ {2}cpus: 1 → 2$/m);
    const same = await locore("plan", "--diff", files[0], files[0]);
    assert.deepEqual([same.status, same.out], [0, ""]);
    assert.equal((await locore("plan", "--diff", files[0])).status, 2);
    assert.equal((await locore("plan", "--diff", files[0], kernel)).status, 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
