/**
 * The DSDT: processors, what the machine's parts announce, their events, `_S5` to switch off. Everything a guest cannot find
 * by probing stands here, nothing that is not there.
 *
 * Specification: ACPI 6.5 §5.2.11.1; device identifiers as Plug and Play assigned them.
 */
import { SLP_TYP_S5 } from "../../spec/acpi.js";
import type { GeneralEvent, Hardware } from "../hardware.js";
import { device, integer, method, name, pack, scope, string, terms, type Aml } from "./aml.js";

/** The AML behind the DSDT's header. */
export function dsdtBody({ cpus, namespace, events }: Pick<Hardware, "cpus" | "namespace" | "events">): Aml {
  return terms(
    // SLP_TYPa, SLP_TYPb, two reserved.
    name("_S5", pack(integer(SLP_TYP_S5), integer(0), integer(0), integer(0))),
    // Guests tell which interrupt controllers they use; both are always wired.
    method("_PIC", 1),
    scope("_SB", ...processors(cpus), ...namespace),
    ...(events.length === 0 ? [] : [scope("_GPE", ...events.map(eventMethod))]),
  );
}

/** `_Exx`: the kernel clears the event before it runs the method, so that one raised meanwhile is not lost. */
function eventMethod({ number, body }: GeneralEvent): Aml {
  return method(`_E${number.toString(16).toUpperCase().padStart(2, "0")}`, 0, ...body);
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
