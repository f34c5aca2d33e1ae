/**
 * How a kernel is told of virtio devices: by ACPI, or by words of its command line, which each system spells in its own way.
 * Both at once make some kernels attach a device twice, so it is one of them unless somebody asks.
 *
 * Sources: Linux drivers/virtio/virtio_mmio.c; FreeBSD sys/dev/virtio/mmio/virtio_mmio_cmdline.c; NetBSD
 * sys/arch/x86/pv/pv_mmio.c; Unikraft drivers/virtio/mmio/Config.uk.
 */
import { virtioMmioDevice } from "../firmware/acpi/virtio-mmio.js";
import type { Aml } from "../firmware/acpi/aml.js";
import { hex } from "../bytes/hex.js";
import type { VirtioMmioPlace } from "../devices/part.js";
import type { KernelSystem } from "../formats/elf/system.js";
import type { AnnounceBy } from "./announce-ways.js";
import { OptionError } from "./boot-error.js";

/** Interrupts of an ISA bus. */
const ISA_IRQS = 16;

interface Dialect {
  /** How it finds devices where nobody says. */
  readonly by: Exclude<AnnounceBy, "both">;
  readonly words: (place: VirtioMmioPlace, ordinal: number) => string;
}

/** Whether its interrupt is none of the ISA bus, which every kernel knows by their numbers. */
function isAboveIsa({ irq }: VirtioMmioPlace): boolean {
  return irq >= ISA_IRQS;
}

function placeText({ start, size, irq }: VirtioMmioPlace): string {
  return `${size}@${hex(start)}:${irq}`;
}

const repeated: Dialect["words"] = (place) => `virtio_mmio.device=${placeText(place)}`;

/** Where a system is in no row, ACPI, and the words of the first. */
const DIALECTS: Partial<Record<KernelSystem, Dialect>> = {
  // Distributions' kernels have no parser for the words; what lacks ACPI has one.
  Linux: { by: "acpi", words: repeated },
  // Every kernel with the driver has the parser, also one with ACPI switched off by a hint.
  FreeBSD: {
    by: "cmdline",
    words: (place, ordinal) => `virtio_mmio.device${ordinal === 0 ? "" : `_${ordinal}`}=${placeText(place)}`,
  },
  NetBSD: { by: "cmdline", words: repeated },
  // Its builds for Firecracker read Linux' words.
  Unikraft: { by: "cmdline", words: repeated },
};

export interface VirtioAnnounced {
  /** Objects for \_SB. */
  namespace: Aml[];
  /** For the end of the command line. */
  words: string[];
}

/**
 * What is told of the devices at `places`, in their order.
 * @param asked how; absent: as `system` finds them best.
 * @param acpi whether the machine has ACPI tables.
 * @param warn is told of devices that words do not lead to.
 */
export function announceVirtio(
  places: readonly VirtioMmioPlace[],
  { system, asked, acpi }: { system: KernelSystem | undefined; asked: AnnounceBy | undefined; acpi: boolean },
  warn: (text: string) => void,
): VirtioAnnounced {
  if (!acpi && asked !== undefined && asked !== "cmdline")
    throw new OptionError(
      "announce",
      `${asked} on a machine without ACPI`,
      "cmdline, or --acpi on",
      "Without tables words are the only way to tell of devices.",
    );
  const dialect = (system && DIALECTS[system]) ?? DIALECTS.Linux!;
  const by: AnnounceBy = asked ?? (!acpi ? "cmdline" : system === undefined ? "acpi" : dialect.by);
  const unreached = acpi && by === "cmdline" && system === "Linux" ? places.filter(isAboveIsa) : [];
  if (unreached.length > 0)
    warn(
      `words lead to the first ${places.length - unreached.length} virtio devices: a Linux kernel that reads ACPI tables has ` +
        `interrupt ${unreached[0].irq} and those above by ACPI only; --announce acpi, both, or --acpi off reach all ${places.length}`,
    );
  return {
    namespace:
      by === "cmdline" ? [] : places.map((place, ordinal) => virtioMmioDevice(place, place.irq, ordinal)),
    words: by === "acpi" ? [] : places.map(dialect.words),
  };
}
