/**
 * Every device of the machine on its buses, wired as a PC, without engine and machine: what fuzzing and
 * snapshot tests drive. Addresses are the usual ones.
 */
import { AcpiPm, initialAcpiPmState, type AcpiPmState } from "../../src/devices/power/acpi-pm.js";
import { ApicBus } from "../../src/devices/interrupts/apic-bus.js";
import { DebugExit } from "../../src/devices/power/debug-exit.js";
import type { Clock, InterruptLine, PowerEvent, Timers } from "../../src/devices/device.js";
import { I8042, initialI8042State, type I8042State } from "../../src/devices/keyboard/i8042.js";
import { I8254, initialI8254State, type I8254State } from "../../src/devices/time/i8254.js";
import { I8259Pair, initialI8259State, type I8259State } from "../../src/devices/interrupts/i8259.js";
import { IrqFanout } from "../../src/devices/interrupts/interrupt-lines.js";
import { initialIoapicState, Ioapic, type IoapicState } from "../../src/devices/interrupts/ioapic.js";
import { LocalApic } from "../../src/devices/interrupts/lapic.js";
import { initialLapicState, type LapicState } from "../../src/devices/interrupts/lapic-state.js";
import { initialMc146818State, Mc146818, type Mc146818State } from "../../src/devices/time/mc146818.js";
import { MmioBus } from "../../src/devices/bus/mmio-bus.js";
import { PortBus } from "../../src/devices/bus/port-bus.js";
import { ResetControl, SystemControlA, SystemControlB } from "../../src/devices/power/system-control.js";
import type { ControlByteState } from "../../src/devices/power/system-control.js";
import { initialUart16550State, Uart16550, type Uart16550State } from "../../src/devices/serial/uart16550.js";

/** The state of the whole board, plain data. */
export interface BoardState {
  pic: I8259State;
  pit: I8254State;
  rtc: Mc146818State;
  uart: Uart16550State;
  i8042: I8042State;
  controlA: ControlByteState;
  controlB: ControlByteState;
  reset: ControlByteState;
  pm: AcpiPmState;
  ioapic: IoapicState;
  apics: LapicState[];
}

export const BOARD_CPUS = 2;
/** The local APIC's page at its reset address, I/O APIC's page. */
export const LAPIC_PAGE = 0xfee00000;
export const IOAPIC_PAGE = 0xfec00000;

export function initialBoardState(): BoardState {
  return {
    pic: initialI8259State(),
    pit: initialI8254State(),
    rtc: initialMc146818State(1_700_000_000),
    uart: initialUart16550State(),
    i8042: initialI8042State(),
    controlA: { value: 2 },
    controlB: { value: 0 },
    reset: { value: 0 },
    pm: initialAcpiPmState(),
    ioapic: initialIoapicState(BOARD_CPUS),
    apics: Array.from({ length: BOARD_CPUS }, (_, id) =>
      initialLapicState(id, { bsp: id === 0, virtualWire: id === 0 }),
    ),
  };
}

export class DeviceBoard {
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly apics: LocalApic[];
  readonly uart: Uart16550;
  readonly pm: AcpiPm;
  /** Everything that left the devices, in order. */
  readonly log: string[] = [];
  /** Level of each CPU's interrupt line. */
  readonly interrupt: boolean[] = [];

  constructor(
    clock: Clock & Timers,
    readonly state: BoardState = initialBoardState(),
  ) {
    const bus = new ApicBus();
    const power = { request: (event: PowerEvent) => this.log.push(`${event.kind} ${event.route}`) };
    const pic: I8259Pair = new I8259Pair({ set: (raised) => this.apics?.[0].lint0.set(raised) }, state.pic);
    this.apics = state.apics.map(
      (apic, cpu) =>
        new LocalApic(
          {
            clock,
            timers: clock,
            apicHz: 1_000_000_000,
            tscHz: 2_100_000_000,
            bus,
            cpu: {
              interrupt: { set: (raised) => (this.interrupt[cpu] = raised) },
              nmi: () => this.log.push(`nmi ${cpu}`),
              init: () => this.log.push(`init ${cpu}`),
              startup: (vector) => this.log.push(`startup ${cpu} ${vector}`),
            },
            external: pic,
          },
          apic,
        ),
    );
    for (const apic of this.apics) bus.addCpu(apic);
    const ioapic = new Ioapic(bus, state.ioapic);
    bus.addIoapic(ioapic);
    const isa = (irq: number): InterruptLine =>
      new IrqFanout(pic.line(irq), ioapic.line(irq === 0 ? 2 : irq));
    const pit = new I8254(clock, clock, isa(0), state.pit);
    const rtc = new Mc146818(clock, clock, isa(8), state.rtc);
    const transmit = (byte: number): number => this.log.push(`sent ${byte}`);
    this.uart = new Uart16550("uart", isa(4), { transmit }, state.uart);
    const i8042 = new I8042({ keyboardIrq: isa(1), auxiliaryIrq: isa(12), power }, state.i8042);
    this.pm = new AcpiPm({ clock, timers: clock, sci: isa(9), power }, state.pm);
    const debugExit = new DebugExit(power);

    this.ports.add({ start: 0x20, size: 2, device: pic.masterPorts });
    this.ports.add({ start: 0xa0, size: 2, device: pic.slavePorts });
    this.ports.add({ start: 0x4d0, size: 2, device: pic.elcrPorts });
    this.ports.add({ start: 0x40, size: 4, device: pit });
    this.ports.add({ start: 0x60, size: 1, device: i8042.dataPort });
    this.ports.add({ start: 0x61, size: 1, device: new SystemControlB(clock, pit, state.controlB) });
    this.ports.add({ start: 0x64, size: 1, device: i8042.commandPort });
    this.ports.add({ start: 0x70, size: 2, device: rtc });
    this.ports.add({ start: 0x92, size: 1, device: new SystemControlA(power, undefined, state.controlA) });
    this.ports.add({ start: 0xf4, size: 4, device: debugExit, width: "whole" });
    this.ports.add({ start: 0x501, size: 2, device: debugExit, width: "whole" });
    this.ports.add({ start: 0x3f8, size: 8, device: this.uart });
    this.ports.add({ start: 0x600, size: 4, device: this.pm.eventPorts, width: "whole" });
    this.ports.add({ start: 0x604, size: 2, device: this.pm.controlPorts, width: "whole" });
    this.ports.add({ start: 0x608, size: 4, device: this.pm.timerPorts, width: "whole" });
    this.ports.add({
      start: 0xcf9,
      size: 1,
      device: new ResetControl(power, state.reset),
      width: "byte-only",
    });
    this.mmio.add({ start: IOAPIC_PAGE, size: 0x1000, device: ioapic });
    // The boot CPU's page; a machine decodes it per CPU.
    this.mmio.add({ start: LAPIC_PAGE, size: 0x1000, device: this.apics[0] });
  }
}
