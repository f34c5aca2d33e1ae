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
  /** Devices of the ACPI namespace, in the order of the parts. */
  namespace: readonly Aml[];
  /** ISA interrupts that are levels; every other one is an edge. */
  levelIrqs: readonly number[];
}

/** What tables cannot do without. Throws RangeError where no part is it. */
export function required<K extends keyof FixedHardware>(hardware: Hardware, what: K): FixedHardware[K] {
  const found = hardware[what];
  if (found === undefined) throw new RangeError(`no part of the machine announces ${WORDS[what]}`);
  return found as FixedHardware[K];
}

const WORDS: Readonly<Record<keyof FixedHardware, string>> = {
  localApic: "local APICs",
  ioApic: "an I/O APIC",
  powerManagement: "ACPI power management",
  resetPort: "a reset register",
  keyboard: "a keyboard controller",
  vga: "a VGA",
};
