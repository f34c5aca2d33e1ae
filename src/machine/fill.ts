/**
 * Writes a plan's regions into guest memory. RAM is zero at power-on, so only bytes are copied. A region outside
 * RAM is a mistake of whoever made the plan and is named.
 */
import type { Plan } from "../boot/plan.js";
import type { GuestMemory } from "../engine/contract.js";

/** A plan that cannot be made live; says which part and why. */
export class PlanError extends Error {
  constructor(what: string, why: string) {
    super(`${what}: ${why}`);
    this.name = "PlanError";
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Everything that guest memory is made of: RAM, and what a firmware image lies in. */
export function memoryRanges({ ram, rom }: Plan): { start: number; size: number }[] {
  return rom === undefined ? ram : [...ram, rom].sort((a, b) => a.start - b.start);
}

/** Copies every region's contents to its place. */
export function fillMemory(memory: GuestMemory, plan: Plan): void {
  for (const { name, start, size, content } of plan.regions) {
    if (content.kind !== "bytes" || content.bytes.length === 0) continue;
    if (content.bytes.length > size) {
      throw new PlanError(`region "${name}"`, `holds ${content.bytes.length} bytes but is ${size} long`);
    }
    const inRam = memoryRanges(plan).some(
      (ram) => start >= ram.start && start + size <= ram.start + ram.size,
    );
    if (!inRam) throw new PlanError(`region "${name}"`, `${hex(start)}–${hex(start + size)} is not in RAM`);
    memory.write(start, content.bytes);
  }
}
