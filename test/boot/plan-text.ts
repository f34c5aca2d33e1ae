// How boot tests look at a plan: regions as lines, bytes by guest-physical address.
import { ByteView } from "../../src/bytes/byte-view.js";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import type { Plan, PlanRegion } from "../../src/boot/plan.js";

const MIB = 1024 * 1024;
const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** A plan of `kernel` with 64 MiB of RAM and a console. */
export function planOf(kernel: Uint8Array, options: Partial<BootOptions> = {}): Plan {
  return buildPlan({
    kernel: { name: "kernel", bytes: kernel },
    memory: 64 * MIB,
    commandLine: "console=ttyS0",
    ...options,
  });
}

/** `00001000–00001fff  name  1234 bytes, owner, e820 type` for every region. */
export function regionLines(plan: Plan): string[] {
  return plan.regions.map(({ name, start, size, content, owner, e820 }) => {
    const filled = content.kind === "bytes" ? `${content.bytes.length} bytes` : "zero";
    return `${hex(start)}–${hex(start + size - 1)}  ${name}: ${filled}, ${owner}, ${e820}`;
  });
}

/** The region of this name. */
export function region(plan: Plan, name: string): PlanRegion {
  const found = plan.regions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no region ${name} in ${regionLines(plan).join("\n")}`);
  return found;
}

/** What lies at a guest-physical address, to the end of its region's contents. */
export function memoryAt(plan: Plan, address: number): ByteView {
  const found = plan.regions.find((one) => address >= one.start && address < one.start + one.size);
  if (found?.content.kind !== "bytes") throw new Error(`nothing at 0x${address.toString(16)}`);
  return new ByteView(found.content.bytes.subarray(address - found.start), address);
}

/** A general register of the boot CPU. */
export function register(plan: Plan, index: number): number {
  return Number(plan.bootCpu.gpr[index]);
}

export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
