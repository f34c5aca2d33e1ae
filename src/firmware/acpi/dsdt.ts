/**
 * The DSDT: the machine's devices in the ACPI namespace, `_S5` to switch off. Everything a guest cannot find by
 * probing stands here, nothing that is not there.
 *
 * Specification: ACPI 6.5 §5.2.11.1; device identifiers as Plug and Play assigned them.
 */
import { IRQ, PORT, type Span } from "../../memory/layout.js";
import { SLP_TYP_S5 } from "../../spec/acpi.js";
import {
  device,
  eisaId,
  integer,
  ioResource,
  irqResource,
  method,
  name,
  pack,
  resources,
  scope,
  string,
  terms,
  type Aml,
} from "./aml.js";

/** What of the machine the namespace describes. */
export interface DsdtInput {
  cpus: number;
}

/** The AML behind the DSDT's header. */
export function dsdtBody({ cpus }: DsdtInput): Aml {
  return terms(
    // SLP_TYPa, SLP_TYPb, two reserved.
    name("_S5", pack(integer(SLP_TYP_S5), integer(0), integer(0), integer(0))),
    // Guests tell which interrupt controllers they use; both are always wired.
    method("_PIC", 1),
    scope("_SB", ...processors(cpus), ...isaDevices()),
  );
}

function processors(cpus: number): Aml[] {
  return Array.from({ length: cpus }, (_, id) =>
    device(
      `C${id.toString(16).toUpperCase().padStart(3, "0")}`,
      name("_HID", string("ACPI0007")),
      name("_UID", integer(id)),
    ),
  );
}

function isaDevices(): Aml[] {
  return [
    isaDevice("PIC", "PNP0000", [PORT.PIC_MASTER, PORT.PIC_SLAVE, PORT.PIC_ELCR], []),
    isaDevice("TIMR", "PNP0100", [PORT.PIT], [IRQ.PIT]),
    isaDevice("RTC", "PNP0B00", [PORT.RTC], [IRQ.RTC]),
    isaDevice("KBD", "PNP0303", [PORT.I8042_DATA, PORT.I8042_COMMAND], [IRQ.KEYBOARD]),
    isaDevice("COM1", "PNP0501", [PORT.COM1], [IRQ.COM1], name("_UID", integer(1))),
  ];
}

function isaDevice(
  where: string,
  id: string,
  ports: readonly Span[],
  irqs: readonly number[],
  ...more: readonly Aml[]
): Aml {
  const descriptors = [...ports.map((port) => ioResource(port.start, port.size)), ...irqs.map(irqResource)];
  return device(where, name("_HID", eisaId(id)), ...more, name("_CRS", resources(...descriptors)));
}
