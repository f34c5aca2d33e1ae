/**
 * R6.5 conversions of x86 kernels: the ELF kernel of a bzImage, a 64-bit Multiboot kernel in an ELF32 file, a PVH note. What comes out is
 * booted here and in QEMU, which refuses what went in; what cannot be done right is refused with its offset.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { buildPlan } from "../../src/boot/index.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { convert, ConvertError, type X86Target } from "../../src/convert/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import { loadSegments } from "../../src/formats/elf/segments.js";
import { recognise } from "../../src/formats/index.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { runToEnd } from "../../src/host/run.js";
import { ELF64, EM, ET, PT, SHT } from "../../src/spec/elf.js";
import { verdicts, type Verdict } from "../../src/verdicts/index.js";
import { makeElf, makeNotes, makePvhNote, type ElfParts } from "../support/images.js";
import { locore } from "../support/cli.js";
import { makeUki } from "../support/pe-images.js";
import { requireGuest, requireTool } from "../support/requires.js";
import { saying, solo5Image } from "../support/unikernel-images.js";
import {
  flatKernel,
  linuxKernel,
  multiboot2Kernel,
  multibootKernel,
  pvhKernel,
} from "../verdicts/x86-collection.js";

const BASE = 0x20_0000;
const VIRTUAL = 0xffff_ffff_8000_0000n;
const SAID = "converted";
const code = Uint8Array.from(saying(`${SAID}\n`));

const words = (...values: readonly number[]): number[] =>
  values.flatMap((value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);

/** A 64-bit Multiboot kernel of two segments; `virtual` is added to its virtual addresses. */
function multiboot64(virtual = 0n, flags = 3): Uint8Array {
  const header = words(0x1bad_b002, flags, -(0x1bad_b002 + flags) >>> 0);
  const text = Uint8Array.from([...header, ...code]);
  const vaddr = virtual + BigInt(BASE);
  return makeElf({
    entry: vaddr + 12n,
    segments: [
      { vaddr, paddr: BASE, bytes: text },
      { vaddr: vaddr + 0x1000n, paddr: BASE + 0x1000, bytes: Uint8Array.of(1, 2, 3), memsz: 0x5000 },
    ],
  });
}

const ENTRY_NOTE = makePvhNote(BASE);
const load = { vaddr: VIRTUAL + BigInt(BASE), paddr: BASE, bytes: code };

/** Kernels with a PVH entry that QEMU or others do not find. */
const HIDDEN: readonly (readonly [name: string, parts: ElfParts])[] = [
  [
    "a note in a section only",
    { sections: [{ name: ".note.Xen", type: SHT.NOTE, bytes: makeNotes([ENTRY_NOTE]) }] },
  ],
  [
    "a note behind which another PT_NOTE stands",
    {
      segments: [
        load,
        { type: PT.NOTE, bytes: makeNotes([ENTRY_NOTE]) },
        { type: PT.NOTE, bytes: makeNotes([{ name: "GNU", type: 3, desc: new Uint8Array(4) }]) },
      ],
    },
  ],
  ["a symbol and no note", { sections: symbolTable("pvh_start_xen", VIRTUAL + BigInt(BASE)) }],
];

/** .symtab with one global symbol, and its names. */
function symbolTable(name: string, value: bigint): NonNullable<ElfParts["sections"]> {
  const view = new ByteView(new Uint8Array(48));
  view.setU32(24, 1);
  view.setU8(28, 0x12);
  view.setU16(30, 0xfff1);
  view.setU64(32, value);
  const names = new TextEncoder().encode(`\0${name}\0`);
  return [
    { name: ".symtab", type: SHT.SYMTAB, bytes: view.bytes, link: 2 },
    { name: ".strtab", type: SHT.STRTAB, bytes: names },
  ];
}

function hidden(parts: ElfParts): Uint8Array {
  return makeElf({ entry: VIRTUAL + BigInt(BASE), segments: [load], ...parts });
}

function judge(bytes: Uint8Array, loader: string): Verdict {
  const found = verdicts(recognise(bytes)).find((one) => one.loader.name === loader);
  assert.ok(found, loader);
  return found;
}

/** What a kernel prints here. */
async function printed(bytes: Uint8Array, commandLine = "", maxInstructions = 100_000): Promise<string> {
  let output = "";
  runToEnd({
    plan: buildPlan({
      kernel: { name: "kernel", bytes },
      commandLine,
      memory: 2 ** 28,
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine: await loadEngine("wasm"),
    console: {
      write: (more) => void (output += Buffer.from(more).toString("latin1")),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => undefined,
    maxInstructions,
  });
  return output;
}

const PATIENCE_MS = 120_000;

/** What QEMU and a kernel in it print until `wanted` is among it, or QEMU ends. */
async function inQemu(
  qemu: string,
  machine: string,
  bytes: Uint8Array,
  wanted: string,
  line = "",
): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-convert-"));
  try {
    const file = path.join(folder, "kernel");
    writeFileSync(file, bytes);
    const quiet = ["-accel", "tcg", "-m", "256", "-display", "none", "-nodefaults", "-no-reboot"];
    const devices = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio"];
    const append = line === "" ? [] : ["-append", line];
    const child = spawn(qemu, ["-M", machine, ...quiet, ...devices, "-kernel", file, ...append], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    const take = (more: Buffer): void => {
      said += more.toString("latin1");
      if (said.includes(wanted)) child.kill("SIGKILL");
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    await new Promise((resolve) => child.on("close", resolve));
    clearTimeout(timer);
    return said;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("R6.5 vmlinux: the ELF file in a bzImage, byte for byte, without what stands behind it", () => {
  // Its last byte belongs to the section table.
  const kernel = pvhKernel({ sections: [{ name: ".comment", type: SHT.PROGBITS }] });
  const payload = gzipSync(Buffer.concat([kernel, Buffer.alloc(1000, 7)]));
  const bzImage = linuxKernel({ payload });
  const made = convert(bzImage, { to: "vmlinux" });
  assert.deepEqual(made.bytes, kernel);
  assert.match(made.notes[0], /^1000 bytes behind the ELF file are left out: relocations/);
  assert.match(made.notes[1], /^It has a PVH entry/);
  assert.deepEqual(
    convert(makeUki(bzImage), { to: "vmlinux" }).bytes,
    kernel,
    "of a unified kernel image, too",
  );
  assert.equal(judge(made.bytes, "firecracker").outcome, "takes");
});

test("R6.5 elf32: the same bytes at the same physical addresses, entered at the same place", () => {
  for (const virtual of [0n, VIRTUAL]) {
    const before = multiboot64(virtual);
    assert.equal(judge(before, "qemu-pc").rule, "qemu/multiboot-elf64");
    const made = convert(before, { to: "elf32" });
    const image = recognise(made.bytes);
    assert.ok(image.format === "elf");
    assert.deepEqual([image.header.elfClass, image.header.machine], [32, EM[386]]);
    assert.equal(made.entry, BigInt(BASE + 12));
    const loads = loadSegments(image).map(({ paddr, memsz, bytes }) => [paddr, memsz, bytes.length]);
    assert.deepEqual(loads, [
      [BASE, 12 + code.length, 12 + code.length],
      [BASE + 0x1000, 0x5000, 3],
    ]);
    assert.equal(judge(made.bytes, "qemu-pc").outcome, "takes");
    assert.equal(judge(made.bytes, "grub-multiboot").outcome, "takes");
  }
});

test("R6.5 elf32: flags are kept, and a preferred video mode with them", () => {
  const header = [
    ...words(0x1bad_b002, 7, -(0x1bad_b002 + 7) >>> 0),
    ...new Array<number>(20).fill(0),
    ...words(1, 80, 25, 0),
  ];
  const kernel = makeElf({
    entry: BASE + 48,
    segments: [{ vaddr: BASE, bytes: Uint8Array.from([...header, ...code]) }],
  });
  const { bytes } = convert(kernel, { to: "elf32" });
  assert.deepEqual(Array.from(bytes.subarray(52 + 32, 52 + 32 + 48)), header);
});

for (const [name, parts] of HIDDEN) {
  test(`R6.5 pvh: of a kernel with ${name}; every loader takes it then, and nothing in it has moved`, async () => {
    const before = hidden(parts);
    const takesAll = (bytes: Uint8Array): boolean =>
      ["qemu-pc", "firecracker", "cloud-hypervisor", "xen-pvh"].every(
        (one) => judge(bytes, one).rule?.endsWith("/pvh") === true && judge(bytes, one).outcome === "takes",
      );
    assert.ok(!takesAll(before));
    const made = convert(before, { to: "pvh" });
    assert.ok(takesAll(made.bytes), JSON.stringify(judge(made.bytes, "cloud-hypervisor")));
    const { phoff, phnum } = ELF64.ehdr;
    const changed = [phoff, phoff + 1, phoff + 2, phnum];
    const same = before.every((byte, i) => made.bytes[i] === byte || changed.includes(i));
    assert.ok(same, "only e_phoff and e_phnum are others");
    assert.equal(await printed(made.bytes), `${SAID}\n`);
    refused(made.bytes, "pvh", /a PVH note for 0x200000 in the last PT_NOTE; expected none/);
  });
}

test("R6.5 pvh: an entry of one's choice, as an address or a symbol, in a 32-bit file too; notes that say otherwise are changed", async () => {
  const plain = makeElf({ elfClass: 32, entry: BASE, segments: [{ vaddr: BASE, bytes: code }] });
  const made = convert(plain, { to: "pvh", entry: "0x200000" });
  assert.equal(judge(made.bytes, "qemu-microvm").rule, "qemu/pvh");
  assert.equal(await printed(made.bytes), `${SAID}\n`);
  assert.match(made.notes.join(" "), /has to be 32-bit code/);
  const named = hidden({ sections: symbolTable("my_entry", VIRTUAL + BigInt(BASE)) });
  assert.equal(convert(named, { to: "pvh", entry: "my_entry" }).entry, BigInt(BASE));
  const other = makeElf({
    entry: BASE,
    segments: [
      { vaddr: BASE, bytes: code },
      { type: PT.NOTE, bytes: makeNotes([makePvhNote(BASE + 4)]) },
    ],
  });
  const image = recognise(convert(other, { to: "pvh", entry: hexOf(BASE) }).bytes);
  assert.ok(image.format === "elf");
  assert.deepEqual(
    image.notes.map(({ desc }) => new ByteView(desc).u32(0)),
    [BASE, BASE],
  );
  assert.throws(() => convert(plain, { to: "pvh", entry: "0x300000" }), ConvertError);
  assert.throws(() => convert(plain, { to: "pvh", entry: "no_such_symbol" }), ConvertError);
  assert.throws(() => convert(plain, { to: "elf32", entry: "0x200000" }), ConvertError);
  assert.throws(() => convert(plain, { to: "pvh", at: 0x10_0000 }), ConvertError);
});

function hexOf(value: number): string {
  return `0x${value.toString(16)}`;
}

test("R6.5 pvh: a Solo5 unikernel for Xen, whose note linux-loader does not find", () => {
  const before = solo5Image("xen");
  assert.equal(judge(before, "cloud-hypervisor").outcome, "refuses");
  assert.equal(judge(convert(before, { to: "pvh" }).bytes, "cloud-hypervisor").outcome, "takes");
});

function refused(bytes: Uint8Array, to: X86Target, wanted: RegExp): void {
  assert.throws(
    () => convert(bytes, { to }),
    (error) => error instanceof FormatError && wanted.test(error.message) && error.meaning.length > 0,
    String(wanted),
  );
}

test("R6.5 what cannot be done right is refused, with the place and what to do instead", () => {
  const arm = makeElf({ machine: EM.AARCH64, entry: BASE, segments: [{ vaddr: BASE, bytes: code }] });
  const notKernel = makeElf({ type: ET.REL, sections: [{ name: ".text", type: SHT.PROGBITS, bytes: code }] });
  const high = makeElf({
    entry: 2n ** 33n,
    segments: [
      { vaddr: 2n ** 33n, bytes: Uint8Array.from([...words(0x1bad_b002, 0, -0x1bad_b002 >>> 0), ...code]) },
    ],
  });
  const nowhere = multibootKernel({ elfClass: 64, entry: 0x900_0000 });
  refused(pvhKernel(), "vmlinux", /offset 0x0: found ELF64.*expected a bzImage.*--to pvh/);
  refused(linuxKernel(), "vmlinux", /offset 0x248: found no payload/);
  refused(
    linuxKernel({ payload: gzipSync("no ELF file") }),
    "vmlinux",
    /found a payload that is no ELF file/,
  );
  refused(linuxKernel({ payload: gzipSync(pvhKernel()).subarray(0, 100) }), "vmlinux", /in the gzip payload/);
  refused(linuxKernel(), "elf32", /expected an ELF kernel for x86/);
  refused(multibootKernel(), "elf32", /offset 0x4: found an ELF32 file.*as it is/);
  refused(
    multibootKernel({ elfClass: 64 }, 0x1_0000),
    "elf32",
    /load addresses in the Multiboot header \(flag 16\)/,
  );
  refused(pvhKernel(), "elf32", /no Multiboot header;/);
  refused(multiboot2Kernel(), "elf32", /an ELF32 file/);
  refused(high, "elf32", /offset 0x58: found program header 0 at physical 0x200000000/);
  refused(nowhere, "elf32", /offset 0x18: found e_entry 0x9000000/);
  refused(flatKernel(), "elf32", /expected an ELF kernel/);
  refused(arm, "elf32", /offset 0x12: found a file for arm64/);
  refused(arm, "pvh", /offset 0x12: found a file for arm64/);
  refused(linuxKernel(), "pvh", /--to vmlinux/);
  refused(pvhKernel(), "pvh", /a PVH note for 0x200000 in the last PT_NOTE/);
  refused(notKernel, "pvh", /no segment to load/);
  refused(multiboot64(), "pvh", /no PVH note, and no symbol.*CONFIG_PVH=y/);
  const data = makeElf({ entry: BASE, segments: [{ vaddr: BASE, bytes: code, flags: 6 }] });
  assert.throws(() => convert(data, { to: "pvh", entry: "0x200000" }), /not executable/);
});

test("R6.5 converted kernels run here, as what they were made of does", async () => {
  for (const virtual of [0n, VIRTUAL]) {
    const before = multiboot64(virtual);
    assert.equal(await printed(before), `${SAID}\n`);
    assert.equal(await printed(convert(before, { to: "elf32" }).bytes), `${SAID}\n`);
  }
});

for (const machine of ["pc", "microvm"]) {
  test(`R6.5 QEMU's ${machine} refuses the kernels and runs what they are converted to`, async (t) => {
    const qemu = requireTool(t, "qemu-system-x86_64");
    if (qemu === undefined) return;
    const multiboot = multiboot64(VIRTUAL);
    assert.match(await inQemu(qemu, machine, multiboot, SAID), /Cannot load x86-64 image/);
    assert.match(await inQemu(qemu, machine, convert(multiboot, { to: "elf32" }).bytes, SAID), /converted/);
    for (const [name, parts] of HIDDEN) {
      const before = hidden(parts);
      if (judge(before, "qemu-pc").outcome === "refuses")
        assert.match(await inQemu(qemu, machine, before, SAID), /without PVH ELF Note/, name);
      assert.match(
        await inQemu(qemu, machine, convert(before, { to: "pvh" }).bytes, SAID),
        /converted/,
        name,
      );
    }
  });
}

test("R6.5 GNU Mach for x86-64, which QEMU refuses, comes to its end in QEMU and here once it is converted", async (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  const guest = await requireGuest(t, "gnumach-amd64");
  if (qemu === undefined || guest === undefined) return;
  const { bytes } = convert(new Uint8Array(readFileSync(guest.files.kernel)), { to: "elf32" });
  // It has been given no servers to start, and says so at the end of its own work.
  const last = "No bootstrap code loaded with the kernel";
  assert.ok((await inQemu(qemu, "pc", bytes, last, "console=com0")).includes(last));
  assert.ok((await printed(bytes, "console=com0", 200_000_000)).includes(last));
});

test("R6.5 Debian's kernel as vmlinux, and with a note in place of its own, begins in QEMU and here", async (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  const guest = await requireGuest(t, "debian-cloud");
  if (qemu === undefined || guest === undefined) return;
  const made = convert(new Uint8Array(readFileSync(guest.files.kernel)), { to: "vmlinux" });
  const image = recognise(made.bytes);
  assert.ok(image.format === "elf" && image.pvh !== undefined);
  const stripped = Uint8Array.from(made.bytes);
  // As a linker script without notes leaves it.
  for (const { type, headerOffset } of image.segments)
    if (type === PT.NOTE) new ByteView(stripped).setU32(headerOffset, PT.NULL);
  for (const { type, headerOffset } of image.sections)
    if (type === SHT.NOTE) new ByteView(stripped).setU32(headerOffset + ELF64.shdr.type, SHT.PROGBITS);
  refused(stripped, "pvh", /no PVH note, and no symbol/);
  const noted = convert(stripped, { to: "pvh", entry: hexOf(image.pvh.address) });
  const line = "console=ttyS0 earlyprintk=ttyS0";
  for (const bytes of [made.bytes, noted.bytes]) {
    assert.match(await inQemu(qemu, "microvm", bytes, "Linux version 6", line), /Linux version 6/);
    assert.match(await printed(bytes, line, 60_000_000), /Linux version 6/);
  }
});

test("R6.5 locore convert of x86 kernels: what it says, and where it writes", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-convert-"));
  try {
    const file = path.join(folder, "kernel");
    writeFileSync(file, multiboot64());
    const { status, out, err } = await locore("convert", file, "--to", "elf32");
    assert.deepEqual([status, err], [0, ""]);
    assert.match(
      out,
      /kernel\.elf32: elf32, \d+ bytes\n.*\n +kernel +its 2 segments, at 0x200000–0x206000\n +size .*\n +entry +0x20000c\n +note/,
    );
    assert.equal(recognise(readFileSync(`${file}.elf32`)).format, "elf");
    const wrong = await locore("convert", file, "--to", "vmlinux", "--entry", "0x1");
    assert.equal(wrong.status, 2);
    assert.match(wrong.err, /an entry for vmlinux; expected none/);
    const json = JSON.parse((await locore("convert", file, "--to", "elf32", "--json")).out) as {
      entry: string;
    };
    assert.equal(json.entry, "0x20000c");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
