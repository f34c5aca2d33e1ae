// R2.1 R1.2 GRUB's image for Xen's PVH guests: an ELF32 kernel with a PVH note. Its first question is CPUID's for Xen, by
// whose hypercalls it does all its input and output; where there is no Xen it halts. So it cannot come to a prompt here,
// nor on any machine without Xen's interface.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Plan } from "../../src/boot/plan.js";
import { grubImage } from "../support/grub.js";
import { bootKernel, type KernelBoot } from "../support/kernel-boot.js";

const MIB = 0x10_0000;
const XEN_LEAF = 0x4000_0000;
const XEN = [
  /** The last leaf, and "XenVMMXenVMM" in EBX, ECX and EDX. */
  { leaf: XEN_LEAF, eax: XEN_LEAF + 2, ebx: 0x566e_6558, ecx: 0x6558_4d4d, edx: 0x4d4d_566e },
  /** One hypercall page, and the MSR that takes its address. */
  { leaf: XEN_LEAF + 2, eax: 1, ebx: 0x4000_0000, ecx: 0, edx: 0 },
];

async function boot(t: TestContext, change: (plan: Plan) => void): Promise<KernelBoot | undefined> {
  const bytes = await grubImage(t, {
    format: "i386-xen_pvh",
    modules: ["echo", "minicmd", "normal"],
    config: "",
  });
  if (bytes === undefined) return undefined;
  const image = { name: "grub", bytes };
  return bootKernel(t, { image, memory: 64 * MIB, maxInstructions: 50e6, initramfs: false, change });
}

test("R2.1 GRUB's i386-xen_pvh image starts by its PVH note and halts where there is no Xen", async (t) => {
  const ran = await boot(t, (plan) => assert.equal(plan.loader.name, "pvh"));
  if (ran === undefined) return;
  assert.equal(ran.report.end.route, "interrupts-off", ran.report.end.reason);
});

test("R2.1 … and goes on to set up hypercalls where CPUID names Xen", async (t) => {
  const ran = await boot(t, (plan) => {
    plan.cpuid = [...XEN, ...plan.cpuid.filter(({ leaf }) => XEN.every((row) => row.leaf !== leaf))];
  });
  if (ran === undefined) return;
  assert.notEqual(ran.report.end.route, "interrupts-off");
});
