/**
 * The system bus as APICs see it: finds the local APICs that a message addresses and hands it to them, and
 * takes EOIs back to the I/O APICs. Has no state of its own and knows no register.
 * Specification: Intel SDM vol. 3A §11.6.2 "Determining IPI Destination".
 */
import type { ApicMessage, ApicReceiver, EoiReceiver, InterruptSink, IpiSink } from "./apic-messages.js";
import { DELIVERY, SHORTHAND } from "../../spec/apic.js";

export class ApicBus implements IpiSink, InterruptSink {
  private readonly cpus: ApicReceiver[] = [];
  private readonly ioapics: EoiReceiver[] = [];

  addCpu(cpu: ApicReceiver): void {
    this.cpus.push(cpu);
  }

  addIoapic(ioapic: EoiReceiver): void {
    this.ioapics.push(ioapic);
  }

  sendIpi(from: number, shorthand: number, message: ApicMessage): void {
    this.hand(message, (cpu) => {
      if (shorthand === SHORTHAND.none) return cpu.isAddressed(message);
      if (shorthand === SHORTHAND.self) return cpu.id === from;
      return shorthand === SHORTHAND.all || cpu.id !== from;
    });
  }

  deliver(message: ApicMessage): boolean {
    return this.hand(message, (cpu) => cpu.isAddressed(message));
  }

  endOfInterrupt(vector: number): void {
    for (const ioapic of this.ioapics) ioapic.endOfInterrupt(vector);
  }

  private hand(message: ApicMessage, addressed: (cpu: ApicReceiver) => boolean): boolean {
    const targets = this.cpus.filter(addressed);
    if (message.mode !== DELIVERY.lowestPriority) {
      let accepted = false;
      for (const cpu of targets) accepted = cpu.accept(message) || accepted;
      return accepted;
    }
    let lowest: ApicReceiver | undefined;
    for (const cpu of targets) {
      if (cpu.acceptsFixed && (!lowest || cpu.priority < lowest.priority)) lowest = cpu;
    }
    return lowest?.accept(message) ?? false;
  }
}
