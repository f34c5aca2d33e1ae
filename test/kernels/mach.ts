/** GNU Mach by both Multiboot protocols, with a first task as a module: what it prints shows all of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { bootUntil, guestKernel } from "../support/marked-boot.js";
import { machTask } from "./mach-task.js";

/** As the Hurd's boot entries have it. */
const SCRIPT = "one two $(task-create) $(task-resume)";

/** One boot to the task's last argument. */
export function testMach(guest: string, loader: string, width: 32 | 64, cpus = 1): void {
  test(`R1.3 ${guest} by ${loader}: the memory map, and a module with its command line as the first task`, async (t) => {
    const kernel = await guestKernel(t, guest);
    if (kernel === undefined) return;
    const { console } = await bootUntil(t, "task: two\n", {
      kernel,
      commandLine: "console=com0",
      loader: { name: loader },
      cpus,
      modules: [{ name: "hello", bytes: machTask(width), commandLine: SCRIPT }],
    });
    // Newer kernels open the console late and show only the end of what they said before.
    assert.match(console, /^biosmem: 0+100000:0+10000000, available$/m);
    if (cpus > 1) assert.match(console, /^BSP: Completed SMP init$/m);
    assert.match(console, /^module 0: hello one two \$\(task-create\) \$\(task-resume\)$/m);
    assert.match(console, /task: hello\ntask: one\ntask: two\n/);
  });
}

/** Each protocol that an image does not offer refuses it with the reason. */
export function testMachRefusals(guest: string, offered: readonly string[]): void {
  test(`R2.3 ${guest} is refused by the protocols that it does not offer`, async (t) => {
    const kernel = await guestKernel(t, guest);
    if (kernel === undefined) return;
    const reasons: Record<string, RegExp> = {
      linux: /packed with gzip; expected "HdrS"/,
      pvh: /without Xen's PHYS32_ENTRY/,
      multiboot2: /no Multiboot2 magic number/,
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const plan = (): unknown => buildPlan({ kernel, loader: { name } });
      if (offered.includes(name)) plan();
      else assert.throws(plan, reason);
    }
  });
}
