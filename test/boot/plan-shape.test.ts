/** Plans that come from a file: those that are made pass, and what is changed in one is refused or harmless (R6.2). */
import assert from "node:assert/strict";
import test from "node:test";
import { ShapeError } from "../../src/bytes/shape.js";
import { planShape } from "../../src/boot/plan-shape.js";
import type { Plan } from "../../src/boot/plan.js";
import { buildPlan } from "../../src/boot/index.js";
import { PartRegistry } from "../../src/devices/registry.js";
import { PartError } from "../../src/devices/resources.js";
import { Machine } from "../../src/machine/machine.js";
import { createFakeEngine } from "../support/fake-engine.js";
import { TestConsole } from "../support/fake-machine.js";
import { makeBzImage } from "../support/images.js";
import { mutated } from "../support/mutations.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";
import { Random } from "../support/random.js";

const LOAD_ADDRESS = 0x100000;
const CODE = Uint8Array.of(0xf4);
const SHAPE = planShape(new PartRegistry());
const MEMORY = 0x400000;

const PVH = buildPlan({
  kernel: { name: "hlt", bytes: pvhElf(LOAD_ADDRESS, CODE, LOAD_ADDRESS) },
  memory: MEMORY,
  cpus: 2,
  clock: { deterministic: { nsPerInstruction: 10 }, rtcStart: 1_700_000_000 },
  testdev: true,
  screen: true,
});
const LINUX = buildPlan({
  kernel: { name: "bzImage", bytes: makeBzImage() },
  memory: 0x1_0000_0000,
  commandLine: "console=ttyS0",
  initrd: { name: "initrd", bytes: new Uint8Array(5000).fill(7) },
});

test("R6.2 plan: plans that were made pass, and come out as they are", () => {
  for (const plan of [PVH, LINUX]) assert.deepEqual(SHAPE.check(plan, "plan"), plan);
});

const [FIRST] = PVH.regions;
const withPart = (index: number, change: object): Partial<Plan> => ({
  devices: PVH.devices.map((part, i) => (i === index ? { ...part, ...change } : part)),
});
const indexOf = (type: string): number => PVH.devices.findIndex((part) => part.type === type);
const UART = indexOf("uart16550");

const REFUSED: readonly (readonly [path: string, why: string, change: object])[] = [
  ["version", "another version", { version: 2 }],
  ["more", "a field that no plan has", { more: 1 }],
  ["cpus", "more CPUs than a machine has", { cpus: 65 }],
  ["cpus", "no CPU", { cpus: 0 }],
  ["ram", "no RAM", { ram: [] }],
  ["ram", "more RAM than a machine has", { ram: [{ start: 0, size: 2 ** 41 }] }],
  ["ram[0]", "RAM of half a page", { ram: [{ start: 0, size: 0x400800 }] }],
  ["ram[0].size", "RAM of nothing", { ram: [{ start: 0, size: 0 }] }],
  ["ram[0].start", "RAM below nothing", { ram: [{ start: -0x1000, size: MEMORY }] }],
  ["ram[1]", "RAM twice", { ram: [...PVH.ram, ...PVH.ram] }],
  ["rom", "firmware over RAM", { rom: { start: 0x1000, size: 0x1000 } }],
  ["regions[0]", "a region outside RAM", { regions: [{ ...FIRST, start: MEMORY - 1, size: 0x10000 }] }],
  ["regions[0].content", "more bytes than the region has", { regions: [{ ...FIRST, size: 0 }] }],
  [
    "regions[0].content.kind",
    "contents of another kind",
    { regions: [{ ...FIRST, content: { kind: "x" } }] },
  ],
  ["e820[0].type", "memory of no type", { e820: [{ start: 0, size: 1, type: "rom" }] }],
  ["bootCpu.gpr", "a CPU without registers", { bootCpu: { ...PVH.bootCpu, gpr: [] } }],
  ["cpuid", "rows of CPUID without end", { cpuid: new Array(5000).fill(PVH.cpuid[0]) }],
  ["cpuid", "addresses of 255 bits", { cpuid: [{ leaf: 0x80000008, eax: 0xff, ebx: 0, ecx: 0, edx: 0 }] }],
  ["clock.tscHz", "a clock that stands", { clock: { ...PVH.clock, tscHz: 0 } }],
  ["clock.apicHz", "a clock of no rate", { clock: { ...PVH.clock, apicHz: NaN } }],
  ["clock.rtcStart", "a date that there is not", { clock: { ...PVH.clock, rtcStart: 1e15 } }],
  [
    "clock.deterministic.nsPerInstruction",
    "time that stands",
    { clock: { ...PVH.clock, deterministic: { nsPerInstruction: 0 } } },
  ],
  ["commandLine", "a command line without end", { commandLine: "x".repeat(1 << 21) }],
  ["fwCfg[0].key", "a key that there is not", { fwCfg: [{ key: 0x10000, bytes: CODE }] }],
  ["tables.rsdp", "a table outside all memory", { tables: { rsdp: 2 ** 53 } }],
  [`devices[${UART}].config`, "a configuration that is no object", withPart(UART, { config: [1] })],
];

for (const [path, why, change] of REFUSED)
  test(`R6.2 plan: ${why} is refused, at ${path}`, () => {
    assert.throws(
      () => SHAPE.check({ ...PVH, ...change }, "plan"),
      (error: unknown) => error instanceof ShapeError && error.path === `plan.${path}`,
    );
  });

const MISPLACED: readonly (readonly [why: string, change: Partial<Plan>])[] = [
  ["two parts at the same ports", withPart(UART, { ports: [{ start: 0x40, size: 8 }] })],
  [
    "an interrupt controller that was moved",
    withPart(indexOf("i8259"), { ports: [{ start: 0x300, size: 2 }] }),
  ],
  ["a part of no type", withPart(UART, { type: "fly" })],
  ["two parts of one name", withPart(UART, { name: "i8259" })],
  ["an interrupt that another part has", withPart(UART, { irqs: [8] })],
  ["RAM where local APICs are", { ram: [...PVH.ram, { start: 0xfee0_0000, size: 0x1000 }] }],
];

for (const [why, change] of MISPLACED)
  test(`R6.2 plan: ${why} is refused by the part's name`, () => {
    assert.throws(() => SHAPE.check({ ...PVH, ...change }, "plan"), PartError);
  });

test("R6.2 plan: a part that says more or less than its type gives it is refused", () => {
  const vga = indexOf("vga");
  for (const change of [withPart(vga, { mmio: undefined }), withPart(vga, { mmio: [{ start: 0, size: 1 }] })])
    assert.throws(() => SHAPE.check({ ...PVH, ...change }, "plan"), { path: `plan.devices[${vga}]` });
});

test("R6.2 plan: changed anywhere, it is refused by name, or a machine is made of it that runs and saves", () => {
  const random = new Random(0x91a7);
  let made = 0;
  const rounds = 250;
  for (let i = 0; i < rounds; i++) {
    let plan: Plan;
    try {
      plan = SHAPE.check(mutated(PVH, random, true), "plan");
    } catch (error) {
      assert.ok(error instanceof ShapeError || error instanceof PartError, String(error));
      continue;
    }
    // RAM is whatever the file says: who restores looks at that first.
    if (plan.ram.reduce((sum, { size }) => sum + size, 0) > MEMORY) continue;
    made++;
    run(plan);
  }
  assert.ok(made > rounds / 20 && made < (rounds * 3) / 4, `${made} of ${rounds} were made`);
});

function run(plan: Plan): void {
  let machine: Machine;
  try {
    machine = new Machine({
      plan,
      engine: createFakeEngine({
        *main(cpu) {
          for (let port = 0; port < 0x100; port += 3) {
            cpu.out(port, 0x34);
            yield;
          }
        },
      }),
      console: new TestConsole(),
      hostNow: () => 0,
    });
  } catch (error) {
    // Parts that others need may have been taken out.
    assert.ok(error instanceof PartError, String(error));
    return;
  }
  machine.run(200);
  machine.saveParts();
  machine.dispose();
}
