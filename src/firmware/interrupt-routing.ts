/**
 * How ISA interrupts reach the I/O APIC: the one source for the MADT and the MP table, so that both tell the
 * same. Knows no table format.
 */
import { IRQ, PIT_GSI } from "../memory/layout.js";
import { MPS_INTI } from "../spec/mp.js";

/** One ISA interrupt line and the I/O APIC pin (= global system interrupt) it is wired to. */
export interface IsaRoute {
  irq: number;
  pin: number;
  /** Polarity and trigger as MP and ACPI encode them; 0 conforms to ISA (edge, active high). */
  flags: number;
}

const ISA_IRQS = 16;
/** IRQ 2 joins the two 8259s and has no wire of its own. */
const CASCADE_IRQ = 2;

/** Every ISA line, ascending. The timer is on pin 2; the ACPI interrupt is level-triggered. */
export function isaRoutes(): IsaRoute[] {
  const routes: IsaRoute[] = [];
  for (let irq = 0; irq < ISA_IRQS; irq++) {
    if (irq === CASCADE_IRQ) continue;
    const pin = irq === IRQ.PIT ? PIT_GSI : irq;
    const flags = irq === IRQ.SCI ? MPS_INTI.ACTIVE_HIGH | MPS_INTI.LEVEL : MPS_INTI.CONFORMS_TO_BUS;
    routes.push({ irq, pin, flags });
  }
  return routes;
}

/** APIC id of the I/O APIC: the first that no CPU has, as some systems keep both in one space. */
export function ioApicId(cpus: number): number {
  return cpus;
}
