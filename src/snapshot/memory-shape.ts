/** What memory the machine of a plan has, before the whole plan is checked: enough to begin to read RAM. */
import { list, record, whole, type Shape } from "../bytes/shape.js";
import type { MemorySpec } from "../engine/contract.js";
import { MAXIMUM_CPUS } from "../x86/topology.js";

const MOST_RANGES = 64;
const range = record({ start: whole(0, Number.MAX_SAFE_INTEGER), size: whole(1, Number.MAX_SAFE_INTEGER) });
const memory = record({ ranges: list(range, { max: MOST_RANGES }), cpus: whole(1, MAXIMUM_CPUS) });

interface Spans {
  ram?: readonly { start?: unknown; size?: unknown }[];
  rom?: { start?: unknown; size?: unknown };
  cpus?: unknown;
}

/** Of a plan as it stands in a file. Ranges are checked by whoever makes memory of them. */
export const memoryShape: Shape<MemorySpec> = {
  check(plan, path) {
    const { ram, rom, cpus } = plan as Spans;
    const spans = [...(Array.isArray(ram) ? (ram as NonNullable<Spans["ram"]>) : []), ...(rom ? [rom] : [])];
    const ranges = spans.map((span) => ({ start: span.start, size: span.size }));
    const checked = memory.check({ ranges, cpus }, path);
    return { ...checked, ranges: [...checked.ranges].sort((a, b) => a.start - b.start) };
  },
};
