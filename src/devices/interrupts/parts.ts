/**
 * The interrupt controllers as parts.
 *
 * ```
 *   8254 ch. 0 ─┬─▶ 8259 input 0            8259 INTR ─▶ LINT0 of CPU 0 (ExtINT) ─▶ CPU 0
 *               └─▶ I/O APIC pin 2          I/O APIC ──▶ APIC bus ─▶ local APICs ─▶ CPUs
 *   ISA irq n ──┬─▶ 8259 input n            IPIs ──────▶ APIC bus
 *               └─▶ I/O APIC pin n
 * ```
 */
import { isaDevice } from "../../firmware/acpi/isa-device.js";
import { ioApicId, pinOf } from "../../firmware/interrupt-routing.js";
import { IOAPIC_MMIO, LAPIC_MMIO } from "../../memory/layout.js";
import { IOAPIC_PINS } from "../../spec/apic.js";
import { ISA_IRQ, ISA_IRQS, PC_PORTS } from "../../spec/pc-ports.js";
import { hasFeature, physicalAddressBits } from "../../x86/cpuid-table.js";
import type { InterruptLine } from "../device.js";
import type { MachineFacts, PartType } from "../part.js";
import { Socket } from "../socket.js";
import { standing } from "../standing.js";
import { ApicBus } from "./apic-bus.js";
import { apicPort, type ApicPort } from "./apic-port.js";
import { I8259Pair, i8259Shape, initialI8259State, type I8259State } from "./i8259.js";
import { initialIoapicState, Ioapic, ioapicShape, type IoapicState } from "./ioapic.js";
import type { ExternalInterrupts } from "./lapic-core.js";
import type { ApicMsrFeatures } from "./lapic-msr.js";
import { initialLapicState, lapicShape, type LapicState } from "./lapic-state.js";
import { LocalApic } from "./lapic.js";

/** The local APICs by CPU, for the CPUs' own accesses. */
export const CPU_APICS = new Socket<readonly ApicPort[]>("local APICs");
const APIC_BUS = new Socket<ApicBus>("APIC bus");
/** LINT0 of the boot CPU. Who drives it also answers the INTA cycle. */
interface Lint0 {
  readonly pin: InterruptLine;
  answeredBy(external: ExternalInterrupts): void;
}
const LINT0 = new Socket<Lint0>("LINT0 pin");

function apicFeatures({ cpuid }: MachineFacts): ApicMsrFeatures {
  return {
    x2apic: hasFeature(cpuid, "x2apic"),
    tscDeadline: hasFeature(cpuid, "tsc_deadline_timer"),
    physicalAddressBits: physicalAddressBits(cpuid),
  };
}

/** The local APICs of all CPUs. Only the boot CPU's is wired to the 8259 pair. */
export const lapicPart: PartType<{ cpus: LapicState[] }> = {
  type: "lapic",
  summary: "local APICs, one a CPU",
  place: standing("lapic", { mmio: [LAPIC_MMIO] }),
  announce: ({ mmio }) => ({ fixed: { localApic: mmio![0].start } }),
  state: (_part, machine) => lapicShape({ cpus: machine.cpus, ...apicFeatures(machine) }),
  create(_part, wires, state) {
    const { machine, clock, timers } = wires;
    const bus = new ApicBus();
    const states =
      state?.cpus ??
      wires.cpus.map((_, id) => initialLapicState(id, { bsp: id === 0, virtualWire: id === 0 }));
    let pair: ExternalInterrupts | undefined;
    // A message may ask for the 8259s' vector on a machine without them.
    const external = { acknowledge: () => pair?.acknowledge() ?? -1 };
    const apics = wires.cpus.map((cpu, id) => {
      const wiring = { clock, timers, ...machine.clock, bus, cpu };
      return new LocalApic(id === 0 ? { ...wiring, external } : wiring, states[id]);
    });
    for (const apic of apics) bus.addCpu(apic);
    const features = apicFeatures(machine);
    wires.offer(APIC_BUS, bus);
    wires.offer(LINT0, { pin: apics[0].lint0, answeredBy: (found) => (pair = found) });
    wires.offer(
      CPU_APICS,
      apics.map((apic) => apicPort(apic, features)),
    );
    return { save: () => ({ cpus: states }) };
  },
};

/** The pair of interrupt controllers of the PC/AT. */
export const i8259Part: PartType<I8259State> = {
  type: "i8259",
  summary: "8259 interrupt controllers",
  place: standing("i8259", { ports: [PC_PORTS.picMaster, PC_PORTS.picSlave, PC_PORTS.elcr] }),
  announce: (part) => ({ acpi: [isaDevice("PIC", "PNP0000", part)] }),
  state: () => i8259Shape,
  create(_part, wires, state = initialI8259State()) {
    const lint0 = wires.take(LINT0);
    const pic = new I8259Pair(lint0.pin, state);
    lint0.answeredBy(pic);
    wires.ports(0, pic.masterPorts);
    wires.ports(1, pic.slavePorts);
    wires.ports(2, pic.elcrPorts);
    wires.drive((irq) => (irq < ISA_IRQS && irq !== ISA_IRQ.cascade ? pic.line(irq) : undefined));
    return { save: () => state };
  },
};

export const ioapicPart: PartType<IoapicState> = {
  type: "ioapic",
  summary: "I/O APIC",
  place: standing("ioapic", { mmio: [IOAPIC_MMIO], movable: true }),
  announce: ({ mmio }) => ({ fixed: { ioApic: mmio![0].start } }),
  state: () => ioapicShape,
  create(_part, wires, state = initialIoapicState(ioApicId(wires.machine.cpus))) {
    const bus = wires.take(APIC_BUS);
    const ioapic = new Ioapic(bus, state);
    bus.addIoapic(ioapic);
    wires.mmio(0, ioapic);
    wires.drive((irq) => (irq < IOAPIC_PINS ? ioapic.line(pinOf(irq)) : undefined));
    return { save: () => state };
  },
};
