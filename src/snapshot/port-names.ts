/** What somebody has to know of a machine in a snapshot before the machine is made: which named ports it has. */
import type { Shape } from "../bytes/shape.js";
import { SnapshotFile, type FileOptions, type SnapshotSource } from "./file.js";
import { SECTION_TYPES } from "./format.js";

/** Of a plan that may be anything: what is wrong with it is told by whoever makes the machine. */
const portsOfPlan: Shape<readonly string[]> = {
  check(plan) {
    const { devices } = (plan ?? {}) as { devices?: unknown };
    const parts = (Array.isArray(devices) ? devices : []) as ({ type?: unknown; config?: unknown } | null)[];
    return parts.flatMap((part) => {
      if (part?.type !== "virtio-console") return [];
      const { ports, terminal } = (part.config ?? {}) as { ports?: unknown; terminal?: unknown };
      const names: unknown[] = [...(Array.isArray(ports) ? (ports as unknown[]) : []), terminal];
      return names.filter((name) => typeof name === "string");
    });
  },
};

/** Names of the ports of its virtio consoles, and of the channel of one's terminal. Throws SnapshotError. */
export function readPortNames(source: SnapshotSource, options: FileOptions = {}): readonly string[] {
  return new SnapshotFile(source, options).value(SECTION_TYPES.plan, portsOfPlan);
}
