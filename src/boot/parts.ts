/**
 * The parts of a machine: which it has, placed, and what they announce. Everything that tells of a device (tables, the
 * command line, firmware's files, the machine itself) is made from this one list.
 */
import type { Announcement, PartRequest, PlanPart, VirtioMmioPlace } from "../devices/part.js";
import type { PartRegistry } from "../devices/registry.js";
import { PartError, Resources } from "../devices/resources.js";
import { CONSOLE_CONFIG } from "../devices/serial/parts.js";
import type { GeneralEvent, Hardware } from "../firmware/hardware.js";
import type { KernelSystem } from "../formats/elf/system.js";
import type { Span } from "../memory/layout.js";
import { SIZE_4K } from "../spec/x86-system.js";
import { OptionError } from "./boot-error.js";
import {
  diskName,
  netName,
  shareName,
  type BootDisk,
  type BootNet,
  type BootOptions,
  type BootShare,
} from "./options.js";
import type { SerialConsole } from "./systems.js";
import { checkAnnouncement, checkPlaced } from "./placed-part.js";

const VIRTIO_CONSOLE = "virtio-console";
/** A balloon counts in 32 bits. */
const MOST_BALLOON_PAGES = 2 ** 32 - 1;

/** What decides which parts a machine has. */
export interface MachineKind {
  /** It starts in firmware, which asks for its configuration and has a log. */
  firmware: boolean;
  vga: boolean;
}

/** The parts of a machine when nobody says otherwise, in the order of their addresses; interrupt controllers last. */
export function usualParts({ firmware, vga }: MachineKind): PartRequest[] {
  return [
    { type: "i8259" },
    { type: "i8254" },
    { type: "i8042" },
    { type: "mc146818" },
    { type: "system-control-a" },
    { type: "debug-exit" },
    { type: "uart16550", config: CONSOLE_CONFIG },
    { type: "acpi-pm" },
    { type: "reset-control" },
    { type: "vmgenid" },
    { type: "ioapic" },
    { type: "lapic" },
    ...(firmware ? [{ type: "debug-console" }, { type: "fw_cfg" }] : []),
    ...(vga ? [{ type: "vga" }] : []),
  ];
}

/** The disks' parts. `config.disk` is the name by which the machine's disks are handed in. */
export function diskParts(disks: readonly BootDisk[]): PartRequest[] {
  return disks.map((disk, index) => {
    const name = diskName(index);
    return { type: "virtio-blk", name, config: { disk: name, ...disk } };
  });
}

/** The shares' parts. `config.share` is the name by which the machine's shares are handed in. */
export function shareParts(shares: readonly BootShare[]): PartRequest[] {
  return shares.map(({ protocol, ...share }, index) => {
    const name = shareName(index);
    return { type: protocol === "9p" ? "virtio-9p" : "virtio-fs", name, config: { share: name, ...share } };
  });
}

/** The network cards' parts. `config.net` is the name by which the machine's networks are handed in. */
export function netParts(nets: readonly BootNet[]): PartRequest[] {
  return nets.map((net, index) => {
    const name = netName(index);
    return { type: "virtio-net", name, config: { net: name, ...net } };
  });
}

/**
 * The virtio devices that are no disks. The serial port stays: what is printed there before hvc0 is found is shown, too; keys go to
 * hvc0, which is connected behind it.
 */
export function virtioParts({ console, rng, balloon }: BootOptions): PartRequest[] {
  const parts: PartRequest[] = [];
  if (console === "hvc0") parts.push({ type: VIRTIO_CONSOLE, config: CONSOLE_CONFIG });
  if (rng === true) parts.push({ type: "virtio-rng" });
  if (balloon !== undefined) parts.push({ type: "virtio-balloon", config: { pages: balloonPages(balloon) } });
  return parts;
}

function balloonPages(bytes: number): number {
  const pages = bytes / SIZE_4K;
  if (Number.isInteger(pages) && pages >= 0 && pages <= MOST_BALLOON_PAGES) return pages;
  throw new OptionError(
    "balloon",
    `${bytes} bytes`,
    "a multiple of 4 KiB",
    "A guest gives away whole pages: 64M, or 0 for none at first.",
  );
}

/** What suites of unit tests for hypervisors expect beside: their device, and the machine's facts without firmware. */
export const TEST_PARTS: readonly PartRequest[] = [{ type: "testdev" }, { type: "fw_cfg" }];

/**
 * Places every part. Those that say where they stand come first, so that those that do not find what is left.
 * @throws PartError for a type that there is not, a name given twice, or places that cannot be had.
 */
export function placeParts(
  requests: readonly PartRequest[],
  registry: PartRegistry,
  memory: { ram: readonly Span[]; rom?: Span | undefined },
): PlanPart[] {
  const taken = memory.ram.map((span) => ({ ...span, what: "RAM" }));
  if (memory.rom !== undefined) taken.push({ ...memory.rom, what: "firmware" });
  const resources = new Resources(taken);
  const placed = new Map<number, PlanPart>();
  const names = new Set<string>();
  const order = [...requests.keys()].sort(
    (a, b) => rank(requests[a], registry) - rank(requests[b], registry),
  );
  for (const index of order) {
    const request = requests[index];
    const name = request.name ?? request.type;
    const type = registry.typeOf({ name, type: request.type });
    if (names.has(name))
      throw new PartError(name, "two parts of this name", "a name each", "Give one of them another name.");
    names.add(name);
    const asked = { ...request, name };
    const part = type.place(asked, resources.claimFor(name));
    const known = registry.isBuiltIn(type.type);
    placed.set(index, known ? part : checkPlaced(part, asked, resources.ownedBy(name)));
  }
  return [...requests.keys()].map((index) => placed.get(index)!);
}

/** Parts that are built in stand where guests expect them; those that say where come next. */
function rank({ type, ports, mmio, irqs }: PartRequest, registry: PartRegistry): number {
  if (registry.isBuiltIn(type)) return 0;
  return ports !== undefined || mmio !== undefined || irqs !== undefined ? 1 : 2;
}

/** Whether the machine's console is hvc0. */
export function hasVirtioConsole(parts: readonly PlanPart[]): boolean {
  return parts.some(
    ({ type, config }) => type === VIRTIO_CONSOLE && config?.["backend"] === CONSOLE_CONFIG.backend,
  );
}

/** The serial port that is the machine's console; undefined where none is. */
export function consoleOf(parts: readonly PlanPart[]): SerialConsole | undefined {
  const uart = parts.find(
    ({ type, config }) => type === "uart16550" && config?.["backend"] === CONSOLE_CONFIG.backend,
  );
  const [port, irq] = [uart?.ports?.[0], uart?.irqs?.[0]];
  return port === undefined || irq === undefined ? undefined : { port: port.start, irq };
}

/** What all parts announce together. */
export interface Announced {
  hardware: Hardware;
  /** Files for firmware, by name. */
  files: ReadonlyMap<string, Uint8Array>;
  /** Virtio devices: they are told of by ACPI or by words, which `announceVirtio` makes. */
  virtio: readonly VirtioMmioPlace[];
  /** Words for the command line of a kernel of this system, in the order of the parts. */
  words(system: KernelSystem): string[];
}

/** Asks every part. `cpus`: their number. */
export function announced(parts: readonly PlanPart[], registry: PartRegistry, cpus: number): Announced {
  const all = parts.map((part): Announcement => {
    const told = registry.get(part.type)?.announce?.(part);
    return registry.isBuiltIn(part.type) ? (told ?? {}) : checkAnnouncement(told, part);
  });
  const hardware: Hardware = {
    cpus,
    namespace: all.flatMap(({ acpi = [] }) => acpi),
    levelIrqs: all.flatMap(({ levelIrqs = [] }) => levelIrqs),
    events: eventsOf(parts, all),
  };
  for (const { fixed } of all) Object.assign(hardware, fixed);
  return {
    hardware,
    files: new Map(all.flatMap(({ files }) => [...(files ?? [])])),
    virtio: all.flatMap(({ virtioMmio }) => virtioMmio ?? []),
    words: (system) => all.flatMap(({ words }) => words?.[system] ?? []),
  };
}

/** The events of all parts. Throws PartError where two have one. */
function eventsOf(parts: readonly PlanPart[], told: readonly Announcement[]): GeneralEvent[] {
  const owners = new Map<number, string>();
  return told.flatMap(({ events = [] }, index) => {
    const { name } = parts[index];
    for (const { number } of events) {
      const other = owners.get(number);
      if (other !== undefined)
        throw new PartError(
          name,
          `general-purpose event ${number}, which "${other}" has`,
          "an event that nobody has",
          "Give one of the two another.",
        );
      owners.set(number, name);
    }
    return events;
  });
}
