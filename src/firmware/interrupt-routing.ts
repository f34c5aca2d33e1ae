/**
 * How ISA interrupts reach the I/O APIC: the one source for the MADT and the MP table, so that both tell the
 * same. Knows no table format.
 */
import { ISA_IRQ, ISA_IRQS } from "../spec/pc-ports.js";
import { MPS_INTI } from "../spec/mp.js";

/** One ISA interrupt line and the I/O APIC pin (= global system interrupt) it is wired to. */
export interface IsaRoute {
  irq: number;
  pin: number;
  /** Polarity and trigger as MP and ACPI encode them; 0 conforms to ISA (edge, active high). */
  flags: number;
}

/** The timer's pin: pin 0 carries the 8259 pair, as MP 1.4 §5.1 figures show. */
const TIMER_PIN = 2;

/** The I/O APIC's pin of an ISA interrupt. */
export function pinOf(irq: number): number {
  return irq === ISA_IRQ.pit ? TIMER_PIN : irq;
}

/** Every ISA line, ascending, but the one that joins the two 8259s. `levels`: those that are levels, not edges. */
export function isaRoutes(levels: readonly number[]): IsaRoute[] {
  const routes: IsaRoute[] = [];
  for (let irq = 0; irq < ISA_IRQS; irq++) {
    if (irq === ISA_IRQ.cascade) continue;
    const level = levels.includes(irq);
    const flags = level ? MPS_INTI.ACTIVE_HIGH | MPS_INTI.LEVEL : MPS_INTI.CONFORMS_TO_BUS;
    routes.push({ irq, pin: pinOf(irq), flags });
  }
  return routes;
}

/** The inputs of the I/O APIC that no ISA interrupt comes to and some part has: levels, as all that are no ISA interrupts. */
export function otherRoutes(levels: readonly number[]): IsaRoute[] {
  const pins = [...new Set(levels)].filter((irq) => irq >= ISA_IRQS).sort((a, b) => a - b);
  return pins.map((pin) => ({ irq: pin, pin, flags: MPS_INTI.ACTIVE_HIGH | MPS_INTI.LEVEL }));
}

/** APIC id of the I/O APIC: the first that no CPU has, as some systems keep both in one space. */
export function ioApicId(cpus: number): number {
  return cpus;
}
