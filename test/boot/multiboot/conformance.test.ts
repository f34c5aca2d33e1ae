// R1.3 Conformance guests of both Multiboot versions on the built-in engine, and version 1 on QEMU: every register,
// segment, flag and structure byte that the specifications promise.
import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { ByteView } from "../../../src/bytes/byte-view.js";
import type { Plan } from "../../../src/boot/plan.js";
import { requireTool } from "../../support/requires.js";
import { memoryAt } from "../plan-text.js";
import { makeGuest, Report, type GuestParts } from "./guest.js";
import { LINKED_AT } from "./images.js";
import { checkInformation1, checkInformation2, checkMachine, type Expected, type Tag } from "./promises.js";
import { elfOf, reportOf, SYMBOLS } from "./run.js";

const MAGIC = { 1: 0x2badb002, 2: 0x36d76289 };
const MODULES = [
  { name: "dir/first", bytes: new Uint8Array(5000).fill(1), commandLine: "-v  a b" },
  { name: "second one", bytes: Uint8Array.of(7) },
];
const EXPECTED: Expected = {
  commandLine: "guest.elf one two",
  modules: [
    { bytes: MODULES[0].bytes, text: "first -v  a b" },
    { bytes: MODULES[1].bytes, text: "second_one" },
  ],
};
const WITHOUT_NAMES: Expected = {
  commandLine: "one two",
  modules: [
    { bytes: MODULES[0].bytes, text: "-v  a b" },
    { bytes: MODULES[1].bytes, text: "" },
  ],
};

type Form = [
  what: string,
  parts: Partial<GuestParts>,
  file: (guest: ReturnType<typeof makeGuest>) => Uint8Array,
];

const FORMS: readonly Form[] = [
  ["ELF32", {}, (guest) => elfOf(guest, 32)],
  ["ELF64", {}, (guest) => elfOf(guest, 64)],
  ["ELF32 with a virtual e_entry", {}, (guest) => elfOf(guest, 32, 0x8000_0000)],
  ["load addresses in a flat file", { flat: true }, (guest) => guest.bytes],
  [
    "load addresses that override ELF's",
    { flat: true },
    (guest) => elfOf({ ...guest, address: 0x30_0000 }, 32),
  ],
];

/** The file with the header where the addresses say: at its start, or behind the ELF header. */
function run(version: 1 | 2, [, parts, file]: Form, names: "yes" | "no" = "yes") {
  const guest = makeGuest({ version, address: LINKED_AT, ...parts });
  return reportOf(file(guest), {
    modules: MODULES,
    loader: { name: `multiboot${version}`, file_names: names },
  });
}

for (const version of [1, 2] as const) {
  const check = version === 1 ? checkInformation1 : checkInformation2;
  describe(`R1.3 multiboot${version} on the built-in engine`, () => {
    for (const form of FORMS) {
      it(`R1.3 ${form[0]}: machine state and information as promised`, async () => {
        const { report } = await run(version, form);
        checkMachine(report, MAGIC[version]);
        check(report, EXPECTED);
      });
    }

    it("R1.3 loader.file_names=no leaves the files' names out of command lines", async () => {
      const { report } = await run(version, FORMS[0], "no");
      check(report, WITHOUT_NAMES);
    });

    it("R1.3 sections that no segment brings along are in memory, and their headers say where", async () => {
      for (const [elfClass, form] of [
        [32, FORMS[0]],
        [64, FORMS[1]],
      ] as const) {
        const { plan, report } = await run(version, form);
        const { count, size, table } = version === 1 ? sections1(report) : sections2(report);
        assert.deepEqual([count, size], [4, elfClass === 32 ? 40 : 64]);
        const view = new ByteView(table);
        const address = elfClass === 32 ? view.u32(size + 12) : Number(view.u64(size + 16));
        assert.equal(address % 16, 0, "as aligned as the section asks");
        assert.deepEqual(memoryAt(plan, address).slice(0, SYMBOLS.length), SYMBOLS);
      }
    });

    it("R1.3 with a screen it is told of one with text", async () => {
      const guest = makeGuest({ version, address: LINKED_AT });
      const loader = { name: `multiboot${version}` };
      const { report } = await reportOf(elfOf(guest, 32), { screen: true, loader });
      const info = report.view("info");
      const at = version === 1 ? 88 : tagAt(info, 8) + 8;
      if (version === 1) assert.ok((info.u32(0) & (1 << 12)) !== 0);
      const numbers = [
        info.u32(at),
        info.u32(at + 4),
        info.u32(at + 8),
        info.u32(at + 12),
        info.u32(at + 16),
      ];
      assert.deepEqual([...numbers, info.u8(at + 20), info.u8(at + 21)], [0xb8000, 0, 160, 80, 25, 16, 2]);
    });
  });
}

function tagAt(info: ByteView, type: number): number {
  let at = 8;
  while (info.u32(at) !== type) at = Math.ceil((at + info.u32(at + 4)) / 8) * 8;
  return at;
}

function sections1(report: Report): { count: number; size: number; table: Uint8Array } {
  const info = report.view("info");
  const { bytes, base } = report.view("sections");
  assert.equal(info.u32(36), base);
  assert.equal(info.u32(40), 3, "index of the section with the names");
  return { count: info.u32(28), size: info.u32(32), table: bytes };
}

function sections2(report: Report): { count: number; size: number; table: Uint8Array } {
  const info = report.view("info");
  const at = tagAt(info, 9);
  assert.equal(info.u32(at + 16), 3, "index of the section with the names");
  return {
    count: info.u32(at + 8),
    size: info.u32(at + 12),
    table: info.slice(at + 20, info.u32(at + 4) - 20),
  };
}

describe("R1.3 multiboot2, relocatable images", () => {
  const tag = (words: number[]): Partial<GuestParts> => ({ independent: true, tags: [{ type: 10, words }] });
  const cases: [string, number[], (plan: Plan, size: number) => number][] = [
    ["preference 1: the lowest place", [0x30_0000, 0xffff_ffff, 0x1000, 1], () => 0x30_0000],
    [
      "preference 2: the highest place, aligned",
      [0x10_0000, 0xffff_ffff, 0x1_0000, 2],
      (_, size) => Math.floor((64 * 0x10_0000 - size) / 0x1_0000) * 0x1_0000,
    ],
    [
      "preference 2 below max_addr",
      [0x10_0000, 0x40_0000, 0x1000, 2],
      (_, size) => (0x40_0000 - size) & ~0xfff,
    ],
    ["preference 0 where it was linked", [0x10_0000, 0xffff_ffff, 0x1000, 0], () => LINKED_AT],
    ["preference 0 where its place is out of bounds", [0x80_0000, 0xffff_ffff, 0x1000, 0], () => 0x80_0000],
  ];
  for (const [what, words, expected] of cases) {
    it(`R1.3 ${what}; the load base address says so`, async () => {
      const guest = makeGuest({ version: 2, address: LINKED_AT, ...tag(words) });
      for (const file of [elfOf(guest, 32), elfOf(guest, 64)]) {
        const { plan, report } = await reportOf(file, { modules: MODULES });
        checkMachine(report, MAGIC[2]);
        const tags: Tag[] = checkInformation2(report, EXPECTED);
        const base = tags.find(({ type }) => type === 21)?.body.u32(0);
        assert.equal(base, expected(plan, guest.size));
        assert.equal((report.number("moved") + LINKED_AT) >>> 0, base, "it ran there");
      }
    });
  }

  it("R1.3 an image that is not relocatable is not told a load base address", async () => {
    const { report } = await run(2, FORMS[0]);
    assert.equal(
      checkInformation2(report, EXPECTED).some(({ type }) => type === 21),
      false,
    );
  });
});

it("R1.3 the same guest on QEMU reports what the specification promises (version 1)", (t) => {
  const qemu = requireTool(t, "qemu-system-x86_64");
  if (qemu === undefined) return;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-multiboot-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const guest = makeGuest({ version: 1, address: LINKED_AT });
  for (const file of [elfOf(guest, 32), makeGuest({ version: 1, address: LINKED_AT, flat: true }).bytes]) {
    const [kernel, module] = [path.join(folder, "guest.elf"), path.join(folder, "first")];
    writeFileSync(kernel, file);
    writeFileSync(module, MODULES[0].bytes);
    const machine = ["-display", "none", "-serial", "stdio", "-no-reboot", "-m", "64", "-accel", "tcg"];
    const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
    const words = ["-kernel", kernel, "-append", "one two", "-initrd", `${module} -v  a b`];
    const ended: SpawnSyncReturns<string> = spawnSync(qemu, [...machine, ...exit, ...words], {
      encoding: "latin1",
      timeout: 30_000,
    });
    assert.equal(ended.status, 1, ended.stdout);
    const report = new Report(ended.stdout);
    checkMachine(report, MAGIC[1]);
    const text = `${module} -v  a b`;
    const commandLine = `${kernel} one two`;
    checkInformation1(report, { commandLine, modules: [{ bytes: MODULES[0].bytes, text }] });
  }
});
