/** A device of an ISA bus in the ACPI namespace: its identifier, and the ports and interrupts that it has. */
import type { Span } from "../../memory/layout.js";
import { device, eisaId, ioResource, irqResource, name, resources, type Aml } from "./aml.js";

/** `Device (where) { _HID, more, _CRS }`; `id` is its Plug and Play identifier: "PNP0501". */
export function isaDevice(
  where: string,
  id: string,
  { ports = [], irqs = [] }: { ports?: readonly Span[] | undefined; irqs?: readonly number[] | undefined },
  ...more: readonly Aml[]
): Aml {
  const descriptors = [...ports.map(({ start, size }) => ioResource(start, size)), ...irqs.map(irqResource)];
  return device(where, name("_HID", eisaId(id)), ...more, name("_CRS", resources(...descriptors)));
}
