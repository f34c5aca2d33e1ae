/** What a network has to know of a machine in a snapshot before the machine is made: how long the packets of its card are. */
import type { Shape } from "../bytes/shape.js";
import { LEAST_MTU, MOST_MTU } from "../net/net-backend.js";
import { SnapshotFile, type FileOptions, type SnapshotSource } from "./file.js";
import { SECTION_TYPES } from "./format.js";

/** Of the first network card of a plan that may be anything: what is wrong with it is told by whoever makes the machine. */
const mtuOfPlan: Shape<number | undefined> = {
  check(plan) {
    const { devices } = (plan ?? {}) as { devices?: unknown };
    const parts = (Array.isArray(devices) ? devices : []) as ({ type?: unknown; config?: unknown } | null)[];
    const { config } = parts.find((part) => part?.type === "virtio-net") ?? {};
    const { mtu } = (config ?? {}) as { mtu?: unknown };
    return typeof mtu === "number" && mtu >= LEAST_MTU && mtu <= MOST_MTU ? mtu : undefined;
  },
};

/** Bytes of a packet, as the guest's driver was told; undefined where the machine has no network card. Throws SnapshotError. */
export function readCardMtu(source: SnapshotSource, options: FileOptions = {}): number | undefined {
  return new SnapshotFile(source, options).value(SECTION_TYPES.plan, mtuOfPlan);
}
