/**
 * The DSDT: processors, what the machine's parts announce, `_S5` to switch off. Everything a guest cannot find by
 * probing stands here, nothing that is not there.
 *
 * Specification: ACPI 6.5 §5.2.11.1; device identifiers as Plug and Play assigned them.
 */
import { SLP_TYP_S5 } from "../../spec/acpi.js";
import type { Hardware } from "../hardware.js";
import { device, integer, method, name, pack, scope, string, terms, type Aml } from "./aml.js";

/** The AML behind the DSDT's header. */
export function dsdtBody({ cpus, namespace }: Pick<Hardware, "cpus" | "namespace">): Aml {
  return terms(
    // SLP_TYPa, SLP_TYPb, two reserved.
    name("_S5", pack(integer(SLP_TYP_S5), integer(0), integer(0), integer(0))),
    // Guests tell which interrupt controllers they use; both are always wired.
    method("_PIC", 1),
    scope("_SB", ...processors(cpus), ...namespace),
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
