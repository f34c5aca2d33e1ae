// R1.3 Debian's Xen 4.17 by Multiboot2 and Multiboot, its shim by every protocol it offers, on the built-in engine.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { bootUntil, guestKernel } from "../support/marked-boot.js";
import { requireGuest } from "../support/requires.js";

/** As Xen's documentation has it for a serial console; its trampoline would ask a BIOS otherwise. */
const COMMAND_LINE = "console=com1 com1=115200,8n1 noreboot no-real-mode";
const NO_DOM0 = "Manual reset required";
const MIB = 0x10_0000;

for (const name of ["multiboot2", "multiboot1"]) {
  test(`R1.3 Xen 4.17 by ${name}: its banner, and what it made of the boot information`, async (t) => {
    const kernel = await guestKernel(t, "xen");
    if (kernel === undefined) return;
    const { console, end } = await bootUntil(t, NO_DOM0, {
      kernel,
      commandLine: COMMAND_LINE,
      loader: { name },
    });
    assert.match(console, /^\(XEN\) Xen version 4\.17\.\d+ \(Debian/m);
    assert.match(console, /^\(XEN\) Bootloader: locore$/m);
    assert.match(console, new RegExp(`^\\(XEN\\) Command line: ${COMMAND_LINE}$`, "m"));
    const base = /Xen image load base address: (0x[0-9a-f]+|0)/.exec(console)?.[1];
    assert.ok(name === "multiboot2" ? Number(base) > 200 * MIB : Number(base) === 0, `relocated to ${base}`);
    assert.match(console, /dom0 kernel not specified/);
    assert.equal(end.status, 0);
  });
}

test("R1.3 Xen asks a BIOS that is not there (no no-real-mode): every call fails, and it goes on", async (t) => {
  const kernel = await guestKernel(t, "xen");
  if (kernel === undefined) return;
  const commandLine = COMMAND_LINE.replace(" no-real-mode", "");
  const { console } = await bootUntil(t, NO_DOM0, { kernel, commandLine });
  assert.match(console, /^\(XEN\) Xen version 4\.17/m);
});

test("R1.3 R1.8 Xen by Multiboot2 after SeaBIOS, whose services it asks", async (t) => {
  const kernel = await guestKernel(t, "xen");
  const bios = await requireGuest(t, "seabios");
  if (!kernel || !bios) return;
  const commandLine = COMMAND_LINE.replace(" no-real-mode", "");
  const image = { name: "bios.bin", bytes: await readFile(bios.files["bios"]) };
  const { console } = await bootUntil(t, NO_DOM0, { kernel, commandLine, bios: image });
  assert.match(console, /\(XEN\) Xen version 4\.17/);
  assert.match(console, /^\(XEN\) Bootloader: locore$/m);
});

test("R1.1 Xen goes by Multiboot2 unless told otherwise, and by nothing that it does not offer", async (t) => {
  const kernel = await guestKernel(t, "xen");
  if (kernel === undefined) return;
  assert.equal(buildPlan({ kernel }).loader.name, "multiboot2");
  const refusals: [string, RegExp][] = [
    ["linux", /ELF32 i386 EXEC, Multiboot, Multiboot2, packed with gzip; expected "HdrS"/],
    ["pvh", /without Xen's PHYS32_ENTRY/],
    ["elf64", /found ELF32 for i386/],
    ["firmware", /firmware: /],
  ];
  for (const [name, reason] of refusals) {
    assert.throws(() => buildPlan({ kernel, loader: { name } }), reason);
  }
});

test("R1.3 the shim by Multiboot2 and Multiboot: its log", async (t) => {
  const kernel = await guestKernel(t, "xen-shim");
  if (kernel === undefined) return;
  for (const name of ["multiboot2", "multiboot1"]) {
    const { console } = await bootUntil(t, NO_DOM0, { kernel, commandLine: COMMAND_LINE, loader: { name } });
    assert.match(console, /^\(XEN\) Xen version 4\.17/m);
  }
});

test("R2.1 the shim by PVH: it asks the Xen below it for memory, which is not there, as its log in memory says", async (t) => {
  const kernel = await guestKernel(t, "xen-shim");
  if (kernel === undefined) return;
  const plan = buildPlan({
    kernel,
    commandLine: COMMAND_LINE,
    clock: { deterministic: { nsPerInstruction: 10 } },
  });
  assert.equal(plan.loader.name, "pvh");
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm"),
    console: { write: () => undefined, read: () => new Uint8Array(0), inputOpen: () => false },
    hostNow: () => performance.now() * 1e6,
  });
  machine.run(10_000_000);
  const image = plan.regions.find(({ name }) => name.startsWith("kernel segment"));
  assert.ok(image);
  const log = Buffer.from(machine.memory.read(image.start, image.size)).toString("latin1");
  assert.match(log, /\(XEN\) Xen call trace:\n.* early_hypercall\S*\n.* pvh_init/);
  assert.match(log, /\(XEN\) FATAL TRAP: vector = 6 \(invalid opcode\)/);
  assert.equal(machine.end?.kind, "reset");
  machine.dispose();
});
