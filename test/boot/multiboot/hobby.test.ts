/**
 * What kernels of courses and tutorials do, which were only ever tried on QEMU: their own descriptors without reloading
 * CS, text written straight to a VGA (R1.3, R3.9).
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { buildPlan } from "../../../src/boot/index.js";
import type { BootOptions } from "../../../src/boot/options.js";
import { loadEngine } from "../../../src/host/node/engines.js";
import { runToEnd, type RunReport } from "../../../src/host/run.js";
import { endLine, unseenTextLine } from "../../../src/cli/render/end.js";
import {
  Assembler,
  at,
  byte,
  CODE_READABLE,
  DATA_WRITABLE,
  segmentDescriptor,
} from "../../support/asm/index.js";
import * as o from "../../support/asm/operands.js";
import { makeElf } from "../../support/images.js";
import { header1, LINKED_AT } from "./images.js";

const VGA_TEXT = 0xb8000;
const COM1 = 0x3f8;
const VECTOR = 0x20;

/** A Multiboot kernel of this code; it ends switched off or halted. */
function kernel(write: (a: Assembler) => void): Uint8Array {
  const a = new Assembler(LINKED_AT, 32);
  a.bytes(header1(0));
  const entry = a.here;
  write(a);
  a.db(0xfa, 0xf4);
  const [{ bytes }] = a.link();
  const segments = [{ vaddr: LINKED_AT, bytes, memsz: 0x4000 }];
  return makeElf({ elfClass: 32, entry, segments });
}

async function run(
  bytes: Uint8Array,
  options: Partial<BootOptions> = {},
): Promise<{ text: string; report: RunReport }> {
  const blocks: Buffer[] = [];
  const report = runToEnd({
    plan: buildPlan({
      kernel: { name: "hobby.elf", bytes },
      clock: { deterministic: { nsPerInstruction: 10 } },
      ...options,
    }),
    engine: await loadEngine("wasm"),
    console: {
      write: (block) => void blocks.push(Buffer.from(block)),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => undefined,
    maxInstructions: 100_000,
  });
  return { text: Buffer.concat(blocks).toString("latin1"), report };
}

test("R1.3 a kernel that loads its own GDT and never reloads CS survives its first IRET", async () => {
  const gdt = LINKED_AT + 0x2000;
  const idt = LINKED_AT + 0x2100;
  const pointers = LINKED_AT + 0x2800;
  const flat = [
    0n,
    segmentDescriptor({ type: CODE_READABLE, big: true }),
    segmentDescriptor({ type: DATA_WRITABLE, big: true }),
  ];
  const store = (a: Assembler, where: number, value: number): void => void a.mov(o.dword(where), value);
  const { text, report } = await run(
    kernel((a) => {
      a.mov(o.esp, LINKED_AT + 0x3ff0);
      flat.forEach((descriptor, i) => {
        store(a, gdt + 8 * i, Number(descriptor & 0xffff_ffffn));
        store(a, gdt + 8 * i + 4, Number(descriptor >> 32n));
      });
      store(a, pointers, ((gdt & 0xffff) << 16) | (8 * flat.length - 1));
      store(a, pointers + 4, gdt >>> 16);
      store(a, pointers + 8, ((idt & 0xffff) << 16) | (8 * (VECTOR + 1) - 1));
      store(a, pointers + 12, idt >>> 16);
      // An interrupt gate to `handler` in segment 0x08.
      a.lea(o.eax, at({ label: "handler" }))
        .mov(o.ebx, o.eax)
        .and(o.eax, 0xffff)
        .or(o.eax, 0x08_0000);
      a.mov(o.dword(idt + 8 * VECTOR), o.eax)
        .and(o.ebx, 0xffff_0000)
        .or(o.ebx, 0x8e00);
      a.mov(o.dword(idt + 8 * VECTOR + 4), o.ebx);
      a.lgdt(at(pointers))
        .lidt(at(pointers + 8))
        .int(VECTOR);
      a.mov(o.al, "k".charCodeAt(0)).jmp("out");
      a.label("handler").iret();
      a.label("out").mov(o.dx, COM1).out(8, "dx");
    }),
  );
  assert.equal(text, "k", endLine(report));
  assert.equal(report.end.kind, "halted");
});

test("R1.6 a page of ELF headers below 1 MiB, where the linker put it, lies between the tables", async () => {
  const code = Uint8Array.from([...header1(0), 0x66, 0xba, 0xf8, 0x03, 0xb0, 0x6b, 0xee, 0xfa, 0xf4]);
  const segments = [
    { vaddr: 0xff000, bytes: new Uint8Array(0xb4) },
    { vaddr: 0x100000, bytes: code },
  ];
  const kernelFile = makeElf({ elfClass: 32, entry: 0x10000c, segments });
  const { text, report } = await run(kernelFile);
  assert.equal(text, "k", endLine(report));
  const { e820 } = buildPlan({ kernel: { name: "hobby.elf", bytes: kernelFile }, memory: 2 ** 26 });
  assert.deepEqual(
    e820.map(({ start, size, type }) => [start, start + size, type]),
    [
      [0, 0x9fc00, "ram"],
      [0x9fc00, 0xa0000, "reserved"],
      [0xe0000, 0xff000, "reserved"],
      [0xff000, 0xff0b4, "ram"],
      [0xff0b4, 0x100000, "reserved"],
      [0x100000, 2 ** 26, "ram"],
    ],
  );
});

test("R1.6 what cannot move names both claimants, and how to link instead", () => {
  for (const vaddr of [0, 0xf0000]) {
    const segments = [{ vaddr, bytes: new Uint8Array([...header1(0), ...new Uint8Array(0x800)]) }];
    const bytes = makeElf({ elfClass: 32, entry: vaddr + 12, segments });
    assert.throws(
      () => buildPlan({ kernel: { name: "k", bytes }, loader: { name: "multiboot1" } }),
      /"kernel segment 0" of multiboot1 .* over ".*" of firmware .*link with ld -n, or put the kernel higher/,
    );
  }
});

function greeting(a: Assembler): void {
  [..."Hello, kernel world!"].forEach((char, i) => {
    a.mov(byte(VGA_TEXT + 2 * i), char.charCodeAt(0)).mov(byte(VGA_TEXT + 2 * i + 1), 0x0f);
  });
}

test("R3.9 text that a kernel writes to a VGA that is not there is told, with --screen it is shown", async () => {
  const without = await run(kernel(greeting));
  assert.equal(without.report.unseenText, "Hello, kernel world!");
  assert.match(
    unseenTextLine(without.report.unseenText),
    /"Hello, kernel world!"\): --screen adds it and shows it/,
  );
  const withScreen = await run(kernel(greeting), { screen: true });
  assert.equal(withScreen.report.unseenText, undefined);
  assert.ok(withScreen.report.screen?.mode === "text");
  assert.match(withScreen.report.screen.lines[0], /^Hello, kernel world!/);
});

test("R3.9 memory there that holds no text, or none that can be seen, is not told of", async () => {
  const black = await run(
    kernel((a) => a.mov(o.dword(VGA_TEXT), 0x0041_0041).mov(o.dword(VGA_TEXT + 4), 0x0041_0041)),
  );
  assert.equal(black.report.unseenText, undefined);
  const cleared = await run(kernel((a) => a.mov(o.dword(VGA_TEXT), 0x0720_0720)));
  assert.equal(cleared.report.unseenText, undefined);
});

test("R3.9 a kernel that goes on running is told of while it runs", async () => {
  const lines: string[] = [];
  let now = 0;
  runToEnd({
    plan: buildPlan({
      kernel: { name: "hobby.elf", bytes: kernel((a) => (greeting(a), a.label("l").jmp("l"))) },
    }),
    engine: await loadEngine("wasm"),
    console: { write: () => undefined, read: () => new Uint8Array(0), inputOpen: () => true },
    hostNow: () => (now += 1e6),
    wait: () => undefined,
    maxInstructions: 50_000_000,
    poll: () =>
      lines.length > 0 || now > 60e9 ? { kind: "interrupted", route: "test", status: 130 } : undefined,
    onUnseenText: (line) => lines.push(line),
  });
  assert.deepEqual(lines, ["Hello, kernel world!"]);
});
