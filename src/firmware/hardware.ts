/**
 * What firmware's tables say of a machine, gathered from its parts: the one input of ACPI tables, MP table and CMOS. Knows no
 * part and no table format.
 */
import type { Span } from "../memory/layout.js";
import type { Aml } from "./acpi/aml.js";

/** ACPI's fixed power-management blocks (ACPI 6.5 §4.8.3): ports, and the ISA interrupt of the SCI. */
export interface PowerManagement {
  sci: number;
  event: Span;
  control: Span;
  timer: Span;
  /** General-purpose events. */
  general: Span;
}

/** A general-purpose event (ACPI 6.5 §5.6.4): what its method does once it was raised. */
export interface GeneralEvent {
  /** 0 to 15. */
  readonly number: number;
  readonly body: readonly Aml[];
}

/** What stands at places that tables have fields for, as a part says it of itself. */
export interface FixedHardware {
  /** Guest-physical addresses of the interrupt controllers' registers. */
  localApic: number;
  ioApic: number;
  powerManagement: PowerManagement;
  /** Port of the reset control register (value 6 resets). */
  resetPort: number;
  /** There is a keyboard controller at its usual place. */
  keyboard: boolean;
  vga: boolean;
}

export interface Hardware extends Partial<FixedHardware> {
  cpus: number;
  /** Whether there are ACPI tables; absent: there are. */
  acpi?: boolean;
  /** Devices of the ACPI namespace, in the order of the parts. */
  namespace: readonly Aml[];
  /** Likewise. */
  events: readonly GeneralEvent[];
  /** ISA interrupts that are levels; every other one is an edge. */
  levelIrqs: readonly number[];
}

/** The machine lacks what its tables cannot do without. */
export class MissingHardware extends Error {
  override readonly name = "MissingHardware";
  /** `part`: the type of part that has it. */
  constructor(
    readonly part: string,
    readonly expected: string,
  ) {
    super(`no part of the machine announces ${expected}: put the part "${part}" back`);
  }
}

/** What tables cannot do without. Throws MissingHardware where no part is it. */
export function required<K extends keyof FixedHardware>(hardware: Hardware, what: K): FixedHardware[K] {
  const found = hardware[what];
  if (found === undefined) {
    const [part, expected] = WORDS[what];
    throw new MissingHardware(part, expected);
  }
  return found as FixedHardware[K];
}

/** The usual part that is it, and what it is. */
const WORDS: Readonly<Record<keyof FixedHardware, readonly [part: string, what: string]>> = {
  localApic: ["lapic", "local APICs"],
  ioApic: ["ioapic", "an I/O APIC"],
  powerManagement: ["acpi-pm", "ACPI power management"],
  resetPort: ["reset-control", "a reset register"],
  keyboard: ["i8042", "a keyboard controller"],
  vga: ["vga", "a VGA"],
};
