/** Whose kernel a file is, and what it is told when nobody tells it anything (R2.1, R3.1). */
import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import type { Plan } from "../../src/boot/plan.js";
import { usualParts } from "../../src/boot/parts.js";
import { SYSTEM_RULES, systemOf } from "../../src/boot/systems.js";
import type { PartRequest } from "../../src/devices/part.js";
import { recognise } from "../../src/formats/index.js";
import { ELFOSABI, PT } from "../../src/spec/elf.js";
import { XEN_ELFNOTE } from "../../src/spec/xen-notes.js";
import {
  makeBzImage,
  makeElf,
  makeNotes,
  makePvhNote,
  type ElfParts,
  type NoteParts,
} from "../support/images.js";

const LOAD = 0x20_0000;
const ENTRY = LOAD + 0x100;
const INTERPRETER = { type: PT.INTERP, bytes: new TextEncoder().encode("/red/herring\0") };

function guestOs(name: string): NoteParts {
  return { name: "Xen", type: XEN_ELFNOTE.GUEST_OS, desc: new TextEncoder().encode(`${name}\0`) };
}

/** A kernel with these notes, and with a text in its data. */
function kernel(notes: readonly NoteParts[], text = "", parts: ElfParts = {}): Uint8Array {
  const bytes = new Uint8Array(0x1000).fill(0xf4);
  bytes.set(new TextEncoder().encode(text), 0x800);
  const segments = [
    { vaddr: 0xffff_ffff_8000_0000n + BigInt(LOAD), paddr: LOAD, bytes },
    { type: PT.NOTE, bytes: makeNotes(notes) },
    ...(parts.segments ?? []),
  ];
  return makeElf({ entry: 0xffff_ffff_8000_0000n + BigInt(ENTRY), ...parts, segments });
}

function planOf(bytes: Uint8Array, options: Partial<BootOptions> = {}): Plan {
  return buildPlan({ kernel: { name: "kernel", bytes }, memory: 64 * 2 ** 20, ...options });
}

const PVH = makePvhNote(ENTRY, 4);

describe("R2.1 FreeBSD's kernels, which are linked like programs", () => {
  for (const elfClass of [64, 32] as const) {
    it(`R2.1 ELF${elfClass}: with its interpreter /red/herring and a PVH note it boots by PVH`, () => {
      const parts = { elfClass, segments: [INTERPRETER], ...(elfClass === 32 ? { entry: 0xc020_0100 } : {}) };
      const bytes = new Uint8Array(0x1000).fill(0xf4);
      const load = { vaddr: elfClass === 32 ? 0xc020_0000 : 0xffff_ffff_8020_0000n, paddr: LOAD, bytes };
      const notes = { type: PT.NOTE, bytes: makeNotes([PVH, guestOs("FreeBSD")]) };
      const plan = planOf(makeElf({ ...parts, segments: [INTERPRETER, load, notes] }));
      assert.equal(plan.loader.name, "pvh");
      assert.equal(plan.bootCpu.rip, BigInt(ENTRY));
      assert.deepEqual(plan.warnings, []);
    });
  }

  it("R2.3 without a PVH note the refusal is about its entry, not about being a program", () => {
    const image = kernel([], "", { segments: [INTERPRETER] });
    assert.throws(() => planOf(image, { loader: { name: "elf64" } }), /virtual address.*enter it by PVH/);
    assert.throws(() => planOf(image, { loader: { name: "pvh" } }), /without Xen's PHYS32_ENTRY/);
  });

  it("R2.3 a program with the same note owner but a loader of programs stays refused", () => {
    const program = { type: PT.INTERP, bytes: new TextEncoder().encode("/libexec/ld-elf.so.1\0") };
    const note = { name: "FreeBSD", type: 1, desc: new Uint8Array(4) };
    for (const name of ["pvh", "elf64"])
      assert.throws(
        () => planOf(kernel([note], "", { segments: [program] }), { loader: { name } }),
        /PT_INTERP/,
      );
  });
});

describe("R3.1 each system gets the words that show its console", () => {
  const FREEBSD = "boot_serial=1 hw.uart.console=io:0x3f8";
  const CASES: [what: string, image: Uint8Array, words: string, by: RegExp][] = [
    [
      "Linux, by GUEST_OS",
      kernel([PVH, guestOs("linux")]),
      "console=ttyS0",
      /Linux kernel \(by its Xen note GUEST_OS\)/,
    ],
    ["FreeBSD, by GUEST_OS", kernel([PVH, guestOs("FreeBSD")]), FREEBSD, /FreeBSD/],
    ["FreeBSD, by its interpreter", kernel([PVH], "", { segments: [INTERPRETER] }), FREEBSD, /red.herring/],
    ["FreeBSD, by EI_OSABI", kernel([PVH], "", { osabi: ELFOSABI.FREEBSD }), FREEBSD, /EI_OSABI/],
    [
      "NetBSD, by its own note",
      kernel([PVH, { name: "NetBSD", type: 1, desc: new Uint8Array(4) }]),
      "console=com",
      /a note of "NetBSD"/,
    ],
    [
      "Xen, by its text",
      kernel([PVH], "Xen version %d.%d"),
      "console=com1 com1=115200,8n1",
      /the text "Xen version %d" at offset 0x/,
    ],
    ["GNU Mach, by its text", kernel([PVH], "GNU Mach 1.8"), "console=com0", /GNU Mach kernel/],
    [
      "Linux, by its text, which speaks of Xen too",
      kernel([PVH], "Xen version %d Linux version 6.1"),
      "console=ttyS0",
      /Linux version/,
    ],
    ["a bzImage", makeBzImage(), "console=ttyS0", /Linux's boot protocol/],
  ];
  for (const [what, image, words, by] of CASES) {
    it(`R3.1 ${what}: ${words}`, () => {
      const plan = planOf(image);
      assert.equal(plan.commandLine, words);
      assert.equal(plan.added.length, 1);
      assert.equal(plan.added[0].what, `command line "${words}"`);
      assert.match(plan.added[0].why, by);
      assert.deepEqual(plan.warnings, []);
    });
  }

  it("R3.1 OpenBSD, whose consoles are no words, and a kernel that nobody knows get none", () => {
    for (const image of [
      kernel([PVH, { name: "OpenBSD", type: 1, desc: new Uint8Array(4) }]),
      kernel([PVH]),
    ]) {
      const plan = planOf(image);
      assert.equal(plan.commandLine, "");
      assert.deepEqual(plan.added, []);
    }
  });

  it("R3.1 a command line that is given is never changed, and what it lacks is a warning", () => {
    for (const [system, word] of [
      ["NetBSD", "console=com"],
      ["linux", "console=ttyS0"],
    ]) {
      const plan = planOf(kernel([PVH, guestOs(system)]), { commandLine: "root=ld0a" });
      assert.equal(plan.commandLine, "root=ld0a");
      assert.deepEqual(plan.added, []);
      assert.match(plan.warnings.join(), new RegExp(`has no ${word}: .*screen that is not there`));
    }
    assert.deepEqual(planOf(kernel([PVH, guestOs("FreeBSD")]), { commandLine: "" }).warnings, []);
  });

  it("R3.1 notes count before texts", () => {
    const mark = systemOf(recognise(kernel([guestOs("NetBSD")], "Linux version 6.1")));
    assert.deepEqual(mark, { system: "NetBSD", by: "its Xen note GUEST_OS" });
  });
});

describe("R1.6 the words follow the console's serial port where the system can say it", () => {
  const usual = usualParts({ firmware: false, vga: false });
  const at = (start: number, irq: number): PartRequest[] =>
    usual.map((one) => (one.type === "uart16550" ? { ...one, ports: [{ start }], irqs: [irq] } : one));
  const told = (os: string, devices: PartRequest[]): Plan => planOf(kernel([PVH, guestOs(os)]), { devices });

  const MOVED: [os: string, start: number, irq: number, words: string][] = [
    ["linux", 0x3f8, 4, "console=ttyS0"],
    ["linux", 0x2f8, 3, "console=ttyS1"],
    ["linux", 0x3e8, 4, "console=ttyS2"],
    ["linux", 0x2e8, 3, "console=ttyS3"],
    ["linux", 0x1f8, 5, "console=uart,io,0x1f8,115200"],
    ["FreeBSD", 0x2f8, 3, "boot_serial=1 hw.uart.console=io:0x2f8"],
    ["FreeBSD", 0x1f8, 5, "boot_serial=1 hw.uart.console=io:0x1f8"],
    ["NetBSD", 0x3f8, 4, "console=com"],
  ];
  for (const [os, start, irq, words] of MOVED) {
    it(`R1.6 ${os} at 0x${start.toString(16)}: ${words}`, () => {
      const plan = told(os, at(start, irq));
      assert.equal(plan.commandLine, words);
      assert.deepEqual(plan.added.length, 1);
      assert.deepEqual(plan.warnings, []);
    });
  }

  it("R1.6 Xen and GNU Mach by their own numbers, Xen elsewhere by ports and interrupt", () => {
    const { Xen, "GNU Mach": mach } = SYSTEM_RULES;
    assert.equal(Xen.words({ port: 0x2f8, irq: 3 }), "console=com2 com2=115200,8n1");
    assert.equal(Xen.words({ port: 0x2f8, irq: 5 }), "console=com1 com1=115200,8n1,0x2f8,5");
    assert.equal(Xen.words({ port: 0x3e8, irq: 4 }), "console=com1 com1=115200,8n1,0x3e8,4");
    assert.equal(mach.words({ port: 0x2f8, irq: 3 }), "console=com1");
    assert.equal(mach.words({ port: 0x3e8, irq: 4 }), undefined);
  });

  it("R1.6 NetBSD has its port built in: no words, and a warning that says so", () => {
    const plan = told("NetBSD", at(0x2f8, 3));
    assert.equal(plan.commandLine, "");
    assert.deepEqual(plan.added, []);
    assert.match(
      plan.warnings[0],
      /the console is the serial port at 0x2f8: no words are known that show it to a NetBSD kernel/,
    );
  });

  it("R1.6 without a serial port that is the console nothing is added, and a warning says so", () => {
    const none = usual.filter(({ type }) => type !== "uart16550");
    const other = usual.map((one) => (one.type === "uart16550" ? { type: one.type } : one));
    for (const devices of [none, other]) {
      const plan = told("linux", devices);
      assert.equal(plan.commandLine, "");
      assert.match(plan.warnings.join(), /no serial port that is its console/);
    }
  });

  it("R3.5 where hvc0 is the console, Linux is told so; a line that says otherwise, and a system that knows none, are warned of", () => {
    const linux = makeBzImage();
    const hvc0 = planOf(linux, { console: "hvc0" });
    assert.deepEqual([hvc0.commandLine, hvc0.warnings], ["console=hvc0", []]);
    const uarts = hvc0.devices.filter(({ type }) => type === "uart16550");
    assert.equal(uarts.length, 1, "the serial port stays");
    assert.match(planOf(linux, { console: "hvc0", commandLine: "quiet" }).warnings[0], /no console=hvc0/);
    const elsewhere = planOf(linux, { console: "hvc0", commandLine: "console=ttyS0" });
    assert.match(elsewhere.warnings[0], /no console=hvc0: keys go to hvc0/);
    const netbsd = planOf(kernel([PVH], "The NetBSD Foundation, Inc."), { console: "hvc0" });
    assert.match(netbsd.commandLine, /^console=com /);
    assert.match(netbsd.warnings[0], /no words are known that show a virtio console to a NetBSD kernel/);
    assert.deepEqual(planOf(linux, { console: "serial" }), planOf(linux));
  });

  it("R3.5 words that stand behind Linux's -- lead nowhere: a warning", () => {
    const linux = makeBzImage();
    const behind = { commandLine: "console=ttyS0 -- single", rng: true };
    assert.match(planOf(linux, { ...behind, announce: "cmdline" }).warnings[0], /has "--".*1 of ours/);
    assert.deepEqual(planOf(linux, behind).warnings, []);
    const before = { ...behind, commandLine: "console=ttyS0 a--b", announce: "cmdline" } as const;
    assert.deepEqual(planOf(linux, before).warnings, []);
  });

  it("R3.5 entropy and a balloon are parts behind the disks, and in no machine by themselves", () => {
    const linux = makeBzImage();
    const disk = { sectors: 8, readOnly: false, serial: "" };
    const plan = planOf(linux, { disks: [disk], console: "hvc0", rng: true, balloon: 8192 });
    const virtio = ({ devices }: Plan) => devices.filter(({ type }) => type.startsWith("virtio-"));
    assert.deepEqual(
      virtio(plan).map(({ type }) => type),
      ["virtio-blk", "virtio-console", "virtio-rng", "virtio-balloon"],
    );
    assert.equal(virtio(plan)[3].config?.["pages"], 2);
    assert.deepEqual(virtio(planOf(linux)), []);
    assert.throws(() => planOf(linux, { balloon: 100 }), /multiple of 4 KiB/);
  });

  it("R1.6 a command line that is given stays as it is; what it lacks is named by the port's name", () => {
    const plan = planOf(kernel([PVH, guestOs("linux")]), { devices: at(0x2f8, 3), commandLine: "quiet" });
    assert.equal(plan.commandLine, "quiet");
    assert.match(plan.warnings.join(), /no console=ttyS1/);
  });
});
