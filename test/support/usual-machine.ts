/** The parts of a machine as nobody asked otherwise, placed, and what they announce: for tests of what is made from them. */
import { announced, placeParts, usualParts, type MachineKind } from "../../src/boot/parts.js";
import type { BlockBackend } from "../../src/block/backend.js";
import type { PartRequest, PlanPart } from "../../src/devices/part.js";
import { PartRegistry } from "../../src/devices/registry.js";
import type { Hardware } from "../../src/firmware/hardware.js";
import { MemoryDisk } from "./memory-disk.js";
import { SECTOR } from "./virtio-parts.js";

const RAM = [{ start: 0, size: 0x1000_0000 }];
const EVERY_DISK = "disk0";
const DISK_SECTORS = 64;
const PLAIN: MachineKind = { firmware: false, vga: false };

/** A virtio device of every kind; that of the disk is the legacy one. */
const VIRTIO: readonly PartRequest[] = [
  {
    type: "virtio-blk",
    config: { disk: EVERY_DISK, sectors: DISK_SECTORS, readOnly: false, serial: "s", version: 1 },
  },
  { type: "virtio-console", config: { ports: ["a", "b"] } },
  { type: "virtio-rng" },
  { type: "virtio-balloon", config: { pages: 3 } },
];

/** The disks that `everyPart` names, all zeros. */
export function everyDisk(): ReadonlyMap<string, BlockBackend> {
  return new Map([[EVERY_DISK, new MemoryDisk(new Uint8Array(DISK_SECTORS * SECTOR))]]);
}

/** The placed parts. */
export function usualPlanParts(kind = PLAIN): PlanPart[] {
  return placeParts(usualParts(kind), new PartRegistry(), { ram: RAM });
}

/** Every part that is built in, placed. */
export function everyPart(): PlanPart[] {
  const requests = [...usualParts({ firmware: true, vga: true }), { type: "testdev" }, ...VIRTIO];
  return placeParts(requests, new PartRegistry(), { ram: RAM });
}

/** What firmware's tables are made from. */
export function usualHardware(cpus: number, kind = PLAIN): Hardware {
  return announced(usualPlanParts(kind), new PartRegistry(), cpus).hardware;
}

/** Every port that a part of a machine with everything decodes. */
export function everyPort(): number[] {
  return everyPart()
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ start, size }) => Array.from({ length: size }, (_, offset) => start + offset));
}

/** A port range of a usual part. */
export function portsOf(type: string, range = 0): { start: number; size: number } {
  const part = everyPart().find((one) => one.type === type);
  const found = part?.ports?.[range];
  if (found === undefined) throw new Error(`no part ${type} with ${range + 1} port ranges`);
  return found;
}
