/** Local APICs on one bus with an I/O APIC and a recording CPU each, for tests. */
import { ApicBus } from "../../src/devices/interrupts/apic-bus.js";
import { initialIoapicState, Ioapic } from "../../src/devices/interrupts/ioapic.js";
import { LocalApic } from "../../src/devices/interrupts/lapic.js";
import { readApicMsr, writeApicMsr, type ApicMsrFeatures } from "../../src/devices/interrupts/lapic-msr.js";
import { initialLapicState, type LapicState } from "../../src/devices/interrupts/lapic-state.js";
import { APIC_BASE, APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import { FakeClock } from "./fake-clock.js";
import { RecordingLine } from "./recording-line.js";

export const APIC_HZ = 1_000_000_000;
export const TSC_HZ = 2_000_000_000;

/** What a local APIC told its CPU. */
export class RecordingCpu {
  readonly interrupt = new RecordingLine();
  readonly events: string[] = [];

  nmi(): void {
    this.events.push("nmi");
  }

  init(): void {
    this.events.push("init");
  }

  startup(vector: number): void {
    this.events.push(`startup ${vector}`);
  }
}

export class ApicBench {
  readonly clock = new FakeClock();
  readonly bus = new ApicBus();
  readonly cpus: RecordingCpu[] = [];
  readonly apics: LocalApic[] = [];
  readonly ioapic: Ioapic;
  readonly features: ApicMsrFeatures = { x2apic: true, tscDeadline: true, physicalAddressBits: 39 };

  /** `count` CPUs with ids from 0, or the given ids. The first is the boot CPU with its pins in virtual wire. */
  constructor(cpus: number | number[] = 1) {
    const ids = typeof cpus === "number" ? Array.from({ length: cpus }, (_, id) => id) : cpus;
    ids.forEach((id, index) => {
      this.add(initialLapicState(id, { bsp: index === 0, virtualWire: index === 0 }));
    });
    this.ioapic = new Ioapic(this.bus, initialIoapicState(ids.length));
    this.bus.addIoapic(this.ioapic);
  }

  /** Puts one more local APIC with `state` on the bus. */
  add(state: LapicState): LocalApic {
    const cpu = new RecordingCpu();
    const apic = new LocalApic(
      {
        clock: this.clock,
        timers: this.clock,
        apicHz: APIC_HZ,
        tscHz: TSC_HZ,
        bus: this.bus,
        cpu,
        external: { acknowledge: () => 0x30 },
      },
      state,
    );
    this.cpus.push(cpu);
    this.apics.push(apic);
    this.bus.addCpu(apic);
    return apic;
  }

  get(offset: number, cpu = 0): number {
    return this.apics[cpu].readMmio(offset, 4);
  }

  set(offset: number, value: number, cpu = 0): void {
    this.apics[cpu].writeMmio(offset, 4, value);
  }

  /** Software-enables every APIC. */
  enable(): void {
    this.apics.forEach((_, cpu) => this.set(LAPIC.spurious, 0x1ff, cpu));
  }

  /** Sends an IPI from CPU 0: ICR high and low. */
  ipi(low: number, destination = 0): void {
    this.set(LAPIC.commandHigh, destination * 2 ** 24);
    this.set(LAPIC.commandLow, low);
  }

  /** Takes and completes interrupts until there is none; returns their vectors. */
  drain(cpu = 0): number[] {
    const vectors: number[] = [];
    while (this.cpus[cpu].interrupt.level) {
      if (vectors.length > 1000) throw new Error(`CPU ${cpu}: interrupt storm of vector ${vectors[0]}`);
      vectors.push(this.apics[cpu].acknowledge());
      if (this.apics[cpu].x2apic) this.writeMsr(APIC_MSR.x2apicFirst + LAPIC.endOfInterrupt / 16, 0n, cpu);
      else this.set(LAPIC.endOfInterrupt, 0, cpu);
    }
    return vectors;
  }

  readMsr(index: number, cpu = 0): bigint | undefined {
    return readApicMsr(this.apics[cpu], this.features, index);
  }

  writeMsr(index: number, value: bigint, cpu = 0): boolean {
    return writeApicMsr(this.apics[cpu], this.features, index, value);
  }

  /** Switches one CPU to x2APIC mode. */
  toX2apic(cpu = 0): void {
    const base = this.readMsr(APIC_MSR.base, cpu) ?? 0n;
    if (!this.writeMsr(APIC_MSR.base, base | BigInt(APIC_BASE.x2apic), cpu))
      throw new Error("x2APIC refused");
  }

  /** Writes an I/O APIC register. */
  ioapicSet(register: number, value: number): void {
    this.ioapic.writeMmio(0, 4, register);
    this.ioapic.writeMmio(0x10, 4, value);
  }

  ioapicGet(register: number): number {
    this.ioapic.writeMmio(0, 4, register);
    return this.ioapic.readMmio(0x10, 4);
  }

  /** Programs a pin: high half first, as drivers do. */
  pin(pin: number, low: number, destination = 0): void {
    this.ioapicSet(0x11 + 2 * pin, destination * 2 ** 24);
    this.ioapicSet(0x10 + 2 * pin, low);
  }
}
