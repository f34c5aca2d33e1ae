/** What each loader of x86 machines does with each kind of image: by protocol, by version, with the message it prints. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { recognise } from "../../src/formats/index.js";
import {
  LOADERS,
  RULES,
  verdicts,
  x86Verdicts,
  type Outcome,
  type Verdict,
} from "../../src/verdicts/index.js";
import { EM, ET, PT, SHT } from "../../src/spec/elf.js";
import { XEN_ELFNOTE } from "../../src/spec/xen-notes.js";
import { packLz4Legacy } from "../support/arm-images.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../support/images.js";
import {
  brokenKernels,
  flatKernel,
  linuxKernel,
  multiboot2Kernel,
  multibootKernel,
  pvhKernel,
  soundKernels,
} from "./x86-collection.js";

/** Every loader, and one letter each of what it does: y takes, n refuses, b blind. */
const NAMES = [
  ...["qemu-microvm", "qemu-pc", "firecracker", "cloud-hypervisor", "crosvm", "kvmtool", "libkrun", "bhyve"],
  ...["xen-pvh", "xen-pv", "grub-linux", "grub-multiboot", "grub-multiboot2", "v86"],
];
const LETTERS: Readonly<Record<Outcome, string>> = { takes: "y", refuses: "n", blind: "b" };
const BASE = 0x20_0000;

function judge(bytes: Uint8Array, loader: string): Verdict {
  const verdict = verdicts(recognise(bytes)).find((one) => one.loader.name === loader);
  assert.ok(verdict, loader);
  return verdict;
}

/** A kernel as FreeBSD links it: virtual e_entry, a PVH note, the interpreter that nobody has. */
function freeBsdKernel(): Uint8Array {
  const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
  const notes = makeNotes([
    { name: "FreeBSD", type: 1, desc: new Uint8Array(4) },
    { name: "Xen", type: 6, desc: text("FreeBSD") },
    { name: "Xen", type: 8, desc: text("generic") },
    { name: "Xen", type: 5, desc: text("xen-3.0") },
    makePvhNote(BASE, 4),
  ]);
  return makeElf({
    osabi: 9,
    entry: 0xffff_ffff_8020_0000n,
    segments: [
      { vaddr: 0xffff_ffff_8020_0000n, paddr: BASE, bytes: new Uint8Array(64) },
      { type: PT.INTERP, bytes: text("/red/herring") },
      { type: PT.NOTE, bytes: notes },
    ],
  });
}

/** A program for an operating system. */
function program(): Uint8Array {
  return makeElf({
    entry: BASE,
    segments: [
      { vaddr: BASE, bytes: new Uint8Array(64) },
      { type: PT.INTERP, bytes: new TextEncoder().encode("/lib/ld.so\0") },
    ],
  });
}

const plain = { vaddr: BASE, bytes: new Uint8Array(64) };

test("R2.3 the table: fourteen loaders by kind of image", () => {
  const inside = (codec: (bytes: Uint8Array) => Uint8Array): Uint8Array =>
    linuxKernel({ payload: codec(pvhKernel()) });
  const table: [name: string, bytes: Uint8Array, letters: string][] = [
    ["ELF64 with a PVH note", pvhKernel(), "yyyyybynynnnnn"],
    ["ELF32 with a PVH note", pvhKernel({ elfClass: 32 }), "yynnybnnynnnnn"],
    ["ELF64, Linux' entry only", makeElf({ entry: BASE, segments: [plain] }), "nnynybynnnnnnn"],
    ["ELF32, entry only", makeElf({ elfClass: 32, entry: BASE, segments: [plain] }), "nnnnybnnynnnnn"],
    ["FreeBSD's kernel", freeBsdKernel(), "yyyynbbyynnnnn"],
    ["a program", program(), "nnbnbbbnnnnnnn"],
    ["ELF32 with Multiboot", multibootKernel(), "yynnbbnnbnnyny"],
    ["ELF64 with Multiboot", multibootKernel({ elfClass: 64 }), "nnbnbbbnnnnynn"],
    ["flat with Multiboot", flatKernel(), "yynnybnnnnnyny"],
    ["ELF32 with Multiboot2", multiboot2Kernel(), "nnnnbbnnbnnnyn"],
    ["bzImage, 64-bit", linuxKernel(), "yyyyyynnnnynnb"],
    ["bzImage, 32-bit", linuxKernel({ protocol: 0x020a }), "yynyyynnnnynny"],
    ["bzImage of 2.03", linuxKernel({ protocol: 0x0203 }), "yynbbnnnnnbnny"],
    ["bzImage with a gzip payload", inside(gzipSync), "yyyyyyynynynnb"],
    ["bzImage with an lz4 payload", inside(packLz4Legacy), "yyyyyynnynynnb"],
    ["ELF64 with a PVH note, gzip", gzipSync(pvhKernel()), "bbnnnbynynnnnn"],
    ["ELF32 with Multiboot, gzip", gzipSync(multibootKernel()), "bbnnnbnnbnnynn"],
  ];
  for (const [name, bytes, letters] of table) {
    const all = verdicts(recognise(bytes));
    assert.deepEqual(
      all.map(({ loader }) => loader.name),
      NAMES,
    );
    assert.equal(all.map(({ outcome }) => LETTERS[outcome]).join(""), letters, name);
  }
});

test("R2.3 every verdict has a rule that is explained, a source, and of what fails an offset in the file", () => {
  const rules = new Map(RULES.map((rule) => [rule.id, rule]));
  assert.equal(rules.size, RULES.length);
  for (const { name, bytes } of [...soundKernels(), ...brokenKernels()]) {
    for (const { loader, rule, outcome, check, prints } of x86Verdicts(bytes, undefined)) {
      const said = `${name}, ${loader.name}: ${rule ?? "no rule"}`;
      assert.ok(rules.has(rule ?? ""), said);
      assert.match(loader.source, /read|run/, said);
      assert.ok(
        prints.every((text) => !/\{\w+\}/.test(text)),
        `${said}: ${prints.join()}`,
      );
      if (outcome !== "takes")
        assert.ok(check !== undefined && check.offset <= Math.max(bytes.length, 0x300), said);
    }
  }
});

test("R2.3 what refuses prints something, but for v86's release builds and QEMU's crashes", () => {
  const silent = new Set(
    ["protocol", "multiboot-flags", "multiboot-addresses"]
      .map((name) => `v86/${name}`)
      .concat("qemu/elf-align", "qemu/elf-note-size"),
  );
  for (const { bytes } of [...soundKernels(), ...brokenKernels()]) {
    for (const { rule, outcome, prints } of x86Verdicts(bytes, undefined)) {
      assert.ok(outcome !== "refuses" || prints.length > 0 || silent.has(rule ?? ""), rule);
    }
  }
});

test("R2.3 versions: PVH in QEMU 4.0, Firecracker 1.12, Cloud Hypervisor 16; bzImages after Firecracker 1.16.1", () => {
  assert.match(judge(pvhKernel(), "qemu-pc").since ?? "", /^4\.0/);
  assert.match(judge(pvhKernel(), "firecracker").since ?? "", /^1\.12\.0/);
  assert.match(judge(pvhKernel(), "cloud-hypervisor").since ?? "", /^v16/);
  assert.match(judge(linuxKernel(), "cloud-hypervisor").since ?? "", /^v39/);
  assert.match(judge(linuxKernel(), "firecracker").since ?? "", /after 1\.16\.1/);
  assert.match(
    judge(linuxKernel(), "firecracker").advice ?? "",
    /1\.16\.1 and older print.*convert KERNEL --to vmlinux/,
  );
});

test("R2.3 a shared library boots nowhere, although nobody would stop it", () => {
  const library = makeElf({ type: ET.DYN, entry: 0, segments: [{ vaddr: 0, bytes: new Uint8Array(64) }] });
  const { outcome, check } = judge(library, "libkrun");
  assert.deepEqual(
    [outcome, check?.offset, check?.found],
    ["blind", 24, "e_type DYN and e_entry 0: a shared library"],
  );
});

test("R2.3 the messages that people search for, each at the byte that decides", () => {
  const cases: [bytes: Uint8Array, loader: string, offset: number, text: RegExp][] = [
    [makeElf({ entry: BASE, segments: [plain] }), "qemu-microvm", 32, /without PVH ELF Note/],
    [multibootKernel({ elfClass: 64 }), "qemu-pc", 18, /Cannot load x86-64 image, give a 32bit one\./],
    [pvhKernel({ elfClass: 32 }), "firecracker", 4, /Invalid program header size/],
    [flatKernel(), "firecracker", 0, /Invalid Elf magic number/],
    [makeElf({ entry: BASE, segments: [plain] }), "cloud-hypervisor", 32, /Kernel lacks PVH header/],
    [makeElf({ entry: 0x1000, segments: [plain] }), "firecracker", 24, /Invalid entry address/],
    [
      makeElf({ entry: BASE, segments: [{ ...plain, vaddr: 0x10_0000 }] }),
      "crosvm",
      88,
      /out of allowed address range/,
    ],
    [linuxKernel({ protocol: 0x0203 }), "kvmtool", 0x206, /Too old kernel/],
    [flatKernel(), "xen-pvh", 0, /no loader found/],
    [pvhKernel(), "grub-multiboot", 0, /no multiboot header found/],
    [linuxKernel({ protocol: 0x0201 }), "grub-linux", 0x206, /too old for 32-bit boot/],
    [linuxKernel({ protocol: 0x020a }), "firecracker", 0x206, /64-bit entry point/],
    [pvhKernel(), "bhyve", 0, /virtual machine cannot be booted/],
    [multibootKernel({ elfClass: 64 }), "v86", 4, /Unimplemented: 64 bit elf/],
  ];
  for (const [bytes, loader, offset, text] of cases) {
    const { outcome, check, prints } = judge(bytes, loader);
    assert.equal(outcome, "refuses", loader);
    assert.equal(check?.offset, offset, `${loader} ${prints.join()}`);
    assert.match(prints.join("\n"), text, loader);
  }
});

test("R2.3 Cloud Hypervisor speaks of bzImages when an ELF file is broken; the verdict names the field", () => {
  const { prints, check } = judge(
    makeElf({ entry: 0x1000, segments: [{ ...plain, bytes: new Uint8Array(0x400) }] }),
    "cloud-hypervisor",
  );
  assert.ok(prints.includes("Invalid bzImage"));
  assert.equal(check?.offset, 24);
});

test("R2.3 Xen's toolstack looks into a bzImage's payload, and says what is wrong in there", () => {
  const wrong = makeBzImage({ payload: gzipSync(makeElf({ entry: BASE, segments: [plain] })) });
  assert.match(judge(wrong, "xen-pvh").check?.found ?? "", /no note of "Xen" in the payload/);
  assert.match(
    judge(makeBzImage({ payload: gzipSync(pvhKernel()) }), "xen-pvh").reason,
    /the payload, unpacked/,
  );
});

test("R2.3 code of another CPU: nobody but QEMU and GRUB looks at e_machine, and Xen for paravirtual guests", () => {
  const foreign = pvhKernel({ machine: EM.RISCV });
  const all = verdicts(recognise(foreign));
  const outcomes = Object.fromEntries(all.map(({ loader, outcome }) => [loader.name, outcome]));
  assert.deepEqual(
    ["qemu-pc", "xen-pvh", "firecracker", "cloud-hypervisor", "crosvm", "libkrun"].map(
      (name) => outcomes[name],
    ),
    ["refuses", "blind", "blind", "blind", "blind", "blind"],
  );
  const words = { LOADER: "generic", XEN_VERSION: "xen-3.0" } as const;
  const paravirtual = makeElf({ ...xenElf(words), machine: EM.RISCV });
  assert.deepEqual(judge(paravirtual, "xen-pv").prints, [
    "xc_dom_guest_type: unknown image type 243: Invalid kernel",
  ]);
});

/** An ELF file with Xen's notes that hold text. */
function xenElf(words: Partial<Record<keyof typeof XEN_ELFNOTE, string>>): Parameters<typeof makeElf>[0] {
  const notes = Object.entries(words).map(([name, value]) => ({
    name: "Xen",
    type: XEN_ELFNOTE[name as keyof typeof XEN_ELFNOTE],
    desc: new TextEncoder().encode(`${value}\0`),
  }));
  return { entry: BASE, segments: [plain, { type: PT.NOTE, bytes: makeNotes(notes) }] };
}

test("R2.3 Xen says what a paravirtual kernel lacks in the same words, whatever it is; the verdict tells them apart", () => {
  const words = { LOADER: "generic", XEN_VERSION: "xen-3.0" } as const;
  const cases: [words: Parameters<typeof xenElf>[0], rule: string][] = [
    [{}, "xen/no-notes"],
    [{ GUEST_VERSION: "1" }, "xen/loader-note"],
    [{ LOADER: "generic" }, "xen/version-note"],
    [words, "xen/pv"],
  ];
  for (const [said, rule] of cases) {
    const verdict = judge(makeElf(xenElf(said)), "xen-pv");
    assert.equal(verdict.rule, rule);
    if (verdict.outcome === "refuses")
      assert.deepEqual(verdict.prints, ["xc_dom_find_loader: no loader found: Invalid kernel"]);
  }
  const narrow = judge(makeElf({ ...xenElf(words), elfClass: 32, machine: EM[386] }), "xen-pv");
  assert.equal(narrow.rule, "xen/pv-no-pae");
});

test("R2.3 Xen reads the older form of its notes too: a section __xen_guest, for paravirtual guests only", () => {
  const text = "GUEST_OS=GNU Mach,LOADER=generic,XEN_VER=xen-3.0,PAE=yes";
  const kernel = makeElf({
    elfClass: 32,
    machine: EM[386],
    entry: BASE,
    segments: [plain],
    sections: [{ name: "__xen_guest", type: SHT.PROGBITS, bytes: new TextEncoder().encode(`${text}\0`) }],
  });
  const { outcome: paravirtual, reason } = judge(kernel, "xen-pv");
  assert.equal(paravirtual, "takes");
  assert.match(reason, /by its section __xen_guest/);
  const { outcome, check } = judge(kernel, "xen-pvh");
  assert.equal(outcome, "blind");
  assert.match(check?.found ?? "", /section __xen_guest: a paravirtual kernel/);
});

test("R2.3 GRUB follows Multiboot2's tags by their sizes, wherever that leads; the check is at the tag", () => {
  const tag = (size: number): number[] => [6, 0, 0, 0, size & 255, (size >> 8) & 255, size >> 16, 0];
  for (const [size, found] of [
    [0, /a tag of size 0/],
    [0x10000, /a tag of size 65536, behind which nothing was read/],
  ] as const) {
    const kernel = multiboot2Kernel([tag(size)]);
    const { outcome, rule, check } = judge(kernel, "grub-multiboot2");
    assert.deepEqual([outcome, rule], ["blind", "grub/tags-endless"]);
    assert.match(check?.found ?? "", found);
    assert.equal(kernel[check?.offset ?? 0], 6);
  }
});

test("R2.3 firmware is no kernel, and names are unique over all machines", () => {
  assert.equal(new Set(LOADERS.map(({ name }) => name)).size, LOADERS.length);
});
