/** A virtio device in the ACPI namespace, as QEMU's microvm names it: drivers of Linux and FreeBSD bind to LNRO0005. */
import type { Span } from "../../memory/layout.js";
import {
  device,
  integer,
  interruptResource,
  memoryResource,
  name,
  resources,
  string,
  type Aml,
} from "./aml.js";

const HARDWARE_ID = "LNRO0005";
const NAME_DIGITS = 2;
const HEX = 16;

/** `Device (VRnn)`; `ordinal`, 0 to 255, is its unique id. Its interrupt is a level. */
export function virtioMmioDevice({ start, size }: Span, irq: number, ordinal: number): Aml {
  return device(
    `VR${ordinal.toString(HEX).toUpperCase().padStart(NAME_DIGITS, "0")}`,
    name("_HID", string(HARDWARE_ID)),
    name("_UID", integer(ordinal)),
    // What it writes, CPUs see without more ado.
    name("_CCA", integer(1)),
    name("_CRS", resources(memoryResource(start, size), interruptResource(irq, "level"))),
  );
}
