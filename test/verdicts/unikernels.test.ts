/**
 * R4.5 Unikernels by the headers that their build systems give them: named, judged rightly by every loader, told what to do with; and
 * those that are made for a machine boot here, and in QEMU, by the entry that the verdict names.
 */
import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { NoLoaderError } from "../../src/boot/boot-error.js";
import { buildPlan } from "../../src/boot/index.js";
import { ownVerdicts } from "../../src/boot/own-verdicts.js";
import { recognise } from "../../src/formats/index.js";
import { kernelSystem } from "../../src/formats/elf/system.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { runToEnd } from "../../src/host/run.js";
import { ET, EM } from "../../src/spec/elf.js";
import { traps, verdicts, type Outcome, type Verdict } from "../../src/verdicts/index.js";
import { makeElf } from "../support/images.js";
import { requireTool } from "../support/requires.js";
import { EXIT_VALUE, hermitImage, solo5Image, unikraftImage } from "../support/unikernel-images.js";

const LETTERS: Readonly<Record<Outcome, string>> = { takes: "y", refuses: "n", blind: "b" };
const NAMES = [
  ...["qemu-microvm", "qemu-pc", "firecracker", "cloud-hypervisor", "crosvm", "kvmtool", "libkrun", "bhyve"],
  ...[
    "xen-pvh",
    "xen-pv",
    "grub-linux",
    "grub-multiboot",
    "grub-multiboot2",
    "v86",
    "solo5-hvt",
    "solo5-spt",
  ],
];

function all(bytes: Uint8Array): Verdict[] {
  const image = recognise(bytes);
  return [...verdicts(image), ...ownVerdicts(image)];
}

function judge(bytes: Uint8Array, loader: string): Verdict {
  const verdict = all(bytes).find((one) => one.loader.name === loader);
  assert.ok(verdict, loader);
  return verdict;
}

/** File, one letter a loader of NAMES, and which of our loaders takes it. */
const TABLE: readonly (readonly [name: string, bytes: Uint8Array, letters: string, own: string[]])[] = [
  ["Solo5 hvt", solo5Image("hvt"), "nnbnnbbnnnnnnnyn", []],
  ["Solo5 spt", solo5Image("spt"), "nnbnnbbnnnnnnnny", []],
  ["Solo5 virtio", solo5Image("virtio"), "yybnybbnnnnynynn", ["locore-multiboot1"]],
  ["Solo5 xen", solo5Image("xen"), "yybnybbnynnynynn", ["locore-pvh", "locore-multiboot1"]],
  ["Hermit", hermitImage(), "nnnnnbbnnnnnnn", []],
  ["Unikraft, Firecracker", unikraftImage("linux"), "nnynnbynnnnnnn", ["locore-elf64"]],
  ["Unikraft, QEMU", unikraftImage("multiboot"), "yynnnbnnbnnyny", ["locore-multiboot1"]],
  ["Unikraft, Xen", unikraftImage("xen"), "nnnnnbbnnynnnn", []],
];

test("R4.5 the table: unikernels by loader", () => {
  for (const [name, bytes, letters, own] of TABLE) {
    const outcomes = new Map(all(bytes).map(({ loader, outcome }) => [loader.name, outcome]));
    const said = NAMES.flatMap((one) => {
      const outcome = outcomes.get(one);
      return outcome === undefined ? [] : [LETTERS[outcome]];
    });
    assert.equal(said.join(""), letters, name);
    const taking = [...outcomes].filter(([one, outcome]) => one.startsWith("locore-") && outcome === "takes");
    assert.deepEqual(
      taking.map(([one]) => one),
      own,
      name,
    );
  }
});

test("R4.5 unikernels are named, with what their notes say", () => {
  const about = (bytes: Uint8Array): [string, Map<string, unknown>] => {
    const { summary, facts } = recognise(bytes);
    return [summary, new Map(facts.map((fact) => [fact.name, fact.value]))];
  };
  const [solo5, solo5Facts] = about(solo5Image("hvt"));
  assert.match(solo5, /Solo5 unikernel for hvt/);
  assert.deepEqual([solo5Facts.get("solo5.target"), solo5Facts.get("solo5.abi_version")], ["hvt", 2]);
  assert.deepEqual(solo5Facts.get("solo5.device[1]"), ["net", "service0"]);
  const [hermit, hermitFacts] = about(hermitImage());
  assert.match(hermit, /Hermit unikernel/);
  assert.deepEqual(
    [hermitFacts.get("hermit.entry_version"), hermitFacts.get("hermit.version")],
    [4, "0.11.2"],
  );
  assert.match(about(unikraftImage("linux"))[0], /Unikraft unikernel for Linux' 64-bit entry/);
  assert.match(about(unikraftImage("multiboot"))[0], /Unikraft unikernel for Multiboot/);
  assert.match(about(unikraftImage("xen"))[0], /Unikraft unikernel for Xen's paravirtual mode/);
});

test("R4.5 the note of OpenBSD's in a Solo5 file makes it no kernel of OpenBSD's", () => {
  const image = recognise(solo5Image("hvt"));
  assert.ok(image.format === "elf");
  assert.ok(image.notes.some(({ name }) => name === "OpenBSD"));
  assert.equal(kernelSystem(image), "Solo5");
});

test("R4.5 each offset is that of what decides: the ABI note's target, its version, an entry's code", () => {
  const bytes = solo5Image("virtio");
  const target = judge(bytes, "solo5-hvt").check;
  assert.ok(target);
  assert.deepEqual([bytes[target.offset], target.found], [3, "target virtio"]);
  const old = judge(solo5Image("hvt", { version: 1 }), "solo5-hvt");
  assert.deepEqual(old.prints, ["FILE: Executable requests unsupported ABI version 1"]);
  assert.equal(solo5Image("hvt", { version: 1 })[old.check?.offset ?? 0], 1);
  const blind = judge(solo5Image("hvt"), "firecracker");
  assert.match(blind.check?.found ?? "", /a Solo5 unikernel for hvt/);
});

test("R4.5 Solo5's tenders: what each minds", () => {
  const rule = (bytes: Uint8Array): string | undefined => judge(bytes, "solo5-hvt").rule;
  assert.equal(rule(solo5Image("hvt")), "solo5/loaded");
  assert.equal(rule(solo5Image("spt")), "solo5/target");
  assert.equal(rule(solo5Image("hvt", { version: 1 })), "solo5/version");
  assert.equal(rule(solo5Image("hvt", { manifest: false })), "solo5/manifest");
  assert.equal(rule(solo5Image("hvt", { flags: 7 })), "solo5/write-exec");
  assert.equal(rule(solo5Image("hvt", { elf: { type: ET.DYN } })), "solo5/elf-header");
  assert.equal(rule(solo5Image("hvt", { elf: { machine: EM[386] } })), "solo5/elf-header");
  assert.equal(rule(solo5Image("hvt", { elf: { entry: 0x1000 } })), "solo5/entry");
});

test("R4.5 what does not start a unikernel says what does, and never to build a Linux kernel otherwise", () => {
  for (const [name, bytes] of TABLE) {
    for (const { loader, outcome, advice = "" } of all(bytes)) {
      if (outcome === "takes" || loader.name.startsWith("solo5-")) continue;
      assert.doesNotMatch(
        advice,
        /CONFIG_PVH|CONFIG_XEN|bzImage|vmlinux|initrd and boot a kernel/,
        `${name}: ${loader.name}`,
      );
      assert.match(
        advice,
        /solo5-hvt|hermit-loader|CONFIG_KVM_VMM|xl create|Multiboot/,
        `${name}: ${loader.name}`,
      );
    }
  }
});

test("R4.5 traps: a virtio unikernel on a machine without PCI, one of Xen's outside of Xen", () => {
  const of = (bytes: Uint8Array): string[] => traps(recognise(bytes)).map(({ id }) => id);
  assert.deepEqual(of(solo5Image("virtio")), ["solo5-virtio-pci"]);
  assert.deepEqual(of(solo5Image("xen")), ["solo5-needs-xen"]);
  assert.deepEqual(of(solo5Image("hvt")), []);
  assert.deepEqual(of(unikraftImage("linux")), []);
});

test("R4.5 locore boot of a unikernel for a tender or a loader of its own says which, first", () => {
  const refusal = (bytes: Uint8Array): string => {
    try {
      buildPlan({ kernel: { name: "unikernel", bytes } });
    } catch (error) {
      assert.ok(error instanceof NoLoaderError);
      return error.message;
    }
    return assert.fail("it was planned");
  };
  assert.match(refusal(solo5Image("hvt")), /Solo5 unikernel for hvt\. Run it with solo5-hvt/);
  assert.match(refusal(hermitImage()), /Hermit unikernel\. Give hermit-loader as the kernel/);
  assert.match(refusal(unikraftImage("xen")), /xl create and type = "pv"/);
});

test("R4.5 other files keep their verdicts: no Solo5 tender is asked about them", () => {
  const plain = makeElf({ entry: 0x20_0000, segments: [{ vaddr: 0x20_0000, bytes: new Uint8Array(16) }] });
  assert.ok(!all(plain).some(({ loader }) => loader.name.startsWith("solo5-")));
});

/** Those that are made for a machine, and what their code says at the entry that they are made for. */
const BOOTING: readonly (readonly [name: string, bytes: Uint8Array, said: string])[] = [
  ["Solo5 virtio", solo5Image("virtio"), "virtio\n"],
  ["Unikraft for Firecracker", unikraftImage("linux"), "lxboot\n"],
  ["Unikraft for QEMU", unikraftImage("multiboot"), "multiboot\n"],
];

for (const [name, bytes, said] of BOOTING) {
  test(`R4.5 ${name} boots as it is: its code runs and finds what its protocol promises`, async () => {
    let output = "";
    runToEnd({
      plan: buildPlan({
        kernel: { name: "unikernel", bytes },
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
      maxInstructions: 100_000,
    });
    assert.equal(output, said);
  });
}

for (const machine of ["pc", "microvm"]) {
  test(`R4.5 QEMU's ${machine} does with unikernels what their verdicts say`, (t) => {
    const qemu = requireTool(t, "qemu-system-x86_64");
    if (qemu === undefined) return;
    const folder = mkdtempSync(path.join(tmpdir(), "locore-unikernels-"));
    try {
      for (const [name, bytes] of TABLE) {
        const { outcome, prints } = judge(bytes, `qemu-${machine}`);
        const file = path.join(folder, "kernel");
        writeFileSync(file, bytes);
        const quiet = ["-accel", "tcg", "-m", "64", "-display", "none", "-nodefaults", "-no-reboot"];
        const device = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
        const args = ["-M", machine, ...quiet, ...device, "-serial", "stdio", "-kernel", file];
        const ran: SpawnSyncReturns<string> = spawnSync(qemu, args, { encoding: "utf8", timeout: 60_000 });
        const { status, stdout, stderr } = ran;
        const seen = `${name}: ${status} ${stdout} ${stderr}`;
        if (outcome === "takes") {
          assert.equal(status, 2 * EXIT_VALUE + 1, seen);
          assert.match(stdout, /virtio|xen|multiboot/, seen);
        } else {
          assert.equal(status, 1, seen);
          for (const one of prints)
            assert.ok(stderr.includes(one.replace(/^qemu-system-x86_64: /, "")), seen);
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
