/**
 * Which wire goes where: builds a plan's devices and connects them as a PC does. Knows every device, no engine
 * and no host.
 *
 * ```
 *   8254 ch. 0 ─┬─▶ 8259 input 0            8259 INTR ─▶ LINT0 of CPU 0 (ExtINT) ─▶ CPU 0
 *               └─▶ I/O APIC pin 2          I/O APIC ──▶ APIC bus ─▶ local APICs ─▶ CPUs
 *   ISA irq n ──┬─▶ 8259 input n            IPIs ──────▶ APIC bus
 *               └─▶ I/O APIC pin n
 * ```
 */
import type { Plan } from "../boot/plan.js";
import { ApicBus } from "../devices/interrupts/apic-bus.js";
import { AcpiPm } from "../devices/power/acpi-pm.js";
import { cmosForMachine } from "../devices/time/cmos.js";
import { DebugConsole } from "../devices/serial/debug-console.js";
import { DebugExit } from "../devices/power/debug-exit.js";
import type { InterruptLine } from "../devices/device.js";
import { FwCfg } from "../devices/configuration/fw-cfg.js";
import { I8042 } from "../devices/keyboard/i8042.js";
import { I8254 } from "../devices/time/i8254.js";
import { I8259Pair } from "../devices/interrupts/i8259.js";
import { IrqFanout } from "../devices/interrupts/interrupt-lines.js";
import { initialIoapicState, Ioapic } from "../devices/interrupts/ioapic.js";
import { LocalApic } from "../devices/interrupts/lapic.js";
import { readApicMsr, writeApicMsr, type ApicMsrFeatures } from "../devices/interrupts/lapic-msr.js";
import { initialLapicState } from "../devices/interrupts/lapic-state.js";
import { Mc146818, initialMc146818State } from "../devices/time/mc146818.js";
import { MmioBus } from "../devices/bus/mmio-bus.js";
import { PortBus } from "../devices/bus/port-bus.js";
import { ResetControl, SystemControlA, SystemControlB } from "../devices/power/system-control.js";
import { Uart16550 } from "../devices/serial/uart16550.js";
import { VgaText } from "../devices/display/vga-text.js";
import { IOAPIC_MMIO, IRQ, PIT_GSI, PORT, RAM_HOLE } from "../memory/layout.js";
import { hasFeature, physicalAddressBits } from "../x86/cpuid-table.js";
import type { ApicPort, Board } from "./board.js";
import type { CpuSlot } from "./cpu-slot.js";
import { PlanError } from "./fill.js";
import type { BoardContext } from "./machine.js";
import type { TextRegisters } from "./screen.js";

function apicFeatures(plan: Plan): ApicMsrFeatures {
  return {
    x2apic: hasFeature(plan.cpuid, "x2apic"),
    tscDeadline: hasFeature(plan.cpuid, "tsc_deadline_timer"),
    physicalAddressBits: physicalAddressBits(plan.cpuid),
  };
}

/** The local APIC of one CPU, wired to it. Only CPU 0 sees the 8259 pair. */
function localApic(slot: CpuSlot, bus: ApicBus, pic: () => I8259Pair, context: BoardContext): LocalApic {
  const { plan, clock, timers } = context;
  const boot = slot.id === 0;
  /** A CPU that interrupts another often waits for its answer: the other gets its turn now. */
  const answerSoon = (): void => {
    if (!slot.running) context.yieldCpu();
  };
  const wiring = {
    clock,
    timers,
    apicHz: plan.clock.apicHz,
    tscHz: plan.clock.tscHz,
    bus,
    cpu: {
      interrupt: {
        set: (raised: boolean) => {
          slot.setInterruptLine(raised);
          if (raised) answerSoon();
        },
      },
      nmi: () => {
        slot.raiseNmi();
        answerSoon();
      },
      init: () => slot.init(),
      startup: (vector: number) => {
        slot.startup(vector);
        answerSoon();
      },
    },
  };
  const state = initialLapicState(slot.id, { bsp: boot, virtualWire: boot });
  return new LocalApic(
    boot ? { ...wiring, external: { acknowledge: () => pic().acknowledge() } } : wiring,
    state,
  );
}

/** A local APIC as its CPU's instructions reach it. */
function apicPort(apic: LocalApic, features: ApicMsrFeatures): ApicPort {
  return {
    get mmioBase() {
      return apic.mmioBase;
    },
    readMmio: (offset, size) => apic.readMmio(offset, size),
    writeMmio: (offset, size, value) => apic.writeMmio(offset, size, value),
    readMsr: (index) => readApicMsr(apic, features, index),
    writeMsr: (index, value) => writeApicMsr(apic, features, index, value),
    acknowledge: () => apic.acknowledge(),
    readTaskPriority: () => apic.readTaskPriority(),
    writeTaskPriority: (value) => apic.writeTaskPriority(value),
  };
}

/** Interrupt controllers, and the ISA interrupt lines that reach both kinds. */
interface Interrupts {
  pic: I8259Pair;
  ioapic: Ioapic;
  apics: LocalApic[];
  isa(irq: number): InterruptLine;
}

function interrupts(context: BoardContext): Interrupts {
  const bus = new ApicBus();
  const apics: LocalApic[] = context.slots.map((slot) => localApic(slot, bus, () => pic, context));
  for (const apic of apics) bus.addCpu(apic);
  const pic: I8259Pair = new I8259Pair(apics[0].lint0);
  // The I/O APIC takes the id after the last CPU, as the MADT and the MP table say.
  const ioapic = new Ioapic(bus, initialIoapicState(context.plan.cpus));
  bus.addIoapic(ioapic);
  const isa = (irq: number): InterruptLine =>
    new IrqFanout(pic.line(irq), ioapic.line(irq === IRQ.PIT ? PIT_GSI : irq));
  return { pic, ioapic, apics, isa };
}

/** CMOS bytes that say how much RAM there is, and how many CPUs. */
function cmos(plan: Plan): number[] {
  const sizeOf = (high: boolean): number =>
    plan.ram
      .filter((range) => range.start >= RAM_HOLE.start === high)
      .reduce((sum, range) => sum + range.size, 0);
  return cmosForMachine(sizeOf(false), sizeOf(true), plan.cpus);
}

/** The ways out: keyboard controller, system control ports, reset control, ACPI, debug exit. */
function addPowerControl(context: BoardContext, ports: PortBus, pit: I8254, isa: Interrupts["isa"]): void {
  const { clock, timers, power } = context;
  const i8042 = new I8042({ keyboardIrq: isa(IRQ.KEYBOARD), auxiliaryIrq: isa(IRQ.MOUSE), power });
  const acpi = new AcpiPm({ clock, timers, sci: isa(IRQ.SCI), power });
  const debugExit = new DebugExit(power);
  ports.add({ ...PORT.I8042_DATA, device: i8042.dataPort });
  ports.add({ ...PORT.I8042_COMMAND, device: i8042.commandPort });
  ports.add({ ...PORT.SYSTEM_CONTROL_B, device: new SystemControlB(clock, pit) });
  ports.add({ ...PORT.SYSTEM_CONTROL_A, device: new SystemControlA(power) });
  ports.add({ ...PORT.RESET_CONTROL, device: new ResetControl(power), width: "byte-only" });
  ports.add({ ...PORT.ACPI_PM1_EVENT, device: acpi.eventPorts, width: "whole" });
  ports.add({ ...PORT.ACPI_PM1_CONTROL, device: acpi.controlPorts, width: "whole" });
  ports.add({ ...PORT.ACPI_PM_TIMER, device: acpi.timerPorts, width: "whole" });
  ports.add({ ...PORT.DEBUG_EXIT, device: debugExit, width: "whole" });
  ports.add({ ...PORT.DEBUG_EXIT_ALIAS, device: debugExit, width: "whole" });
}

/** What is wired here, by the names that plans use. */
const DEVICES: readonly string[] = [
  "i8259",
  "i8254",
  "i8042",
  "mc146818",
  "system-control-a",
  "debug-exit",
  "uart16550",
  "acpi-pm",
  "reset-control",
  "ioapic",
  "lapic",
  "fw_cfg",
  "debug-console",
  "vga",
];

function checkDevices(plan: Plan): void {
  for (const { name } of plan.devices) {
    if (!DEVICES.includes(name))
      throw new PlanError(`device "${name}"`, "there is none of this name to wire");
  }
}

/** Devices that only some machines have: what firmware asks, and a screen. */
function addOptional(context: BoardContext, ports: PortBus): Pick<Board, "text" | "firmwareLog"> {
  const { plan, clock, memory } = context;
  const planned = (name: string): boolean => plan.devices.some((device) => device.name === name);
  const parts: { text?: TextRegisters; firmwareLog?: () => string } = {};
  if (planned("fw_cfg")) {
    const items = new Map((plan.fwCfg ?? []).map(({ key, bytes }) => [key, bytes]));
    const fwCfg = new FwCfg(items, memory);
    ports.add({ ...PORT.FW_CFG, device: fwCfg.classicPorts, width: "whole" });
    ports.add({ ...PORT.FW_CFG_DMA, device: fwCfg.dmaPorts, width: "whole" });
  }
  if (planned("debug-console")) {
    const log = new DebugConsole();
    ports.add({ ...PORT.DEBUG_CONSOLE, device: log });
    parts.firmwareLog = () => log.state.text;
  }
  if (planned("vga")) {
    const vga = new VgaText(clock);
    ports.add({ ...PORT.VGA, device: vga.mainPorts });
    ports.add({ ...PORT.VGA_CRTC, device: vga.crtcPorts });
    ports.add({ ...PORT.VGA_STATUS, device: vga.statusPort });
    ports.add({ ...PORT.BOCHS_DISPLAY, device: vga.dispiPorts, width: "whole" });
    parts.text = vga.state;
  }
  return parts;
}

/** Builds and connects every device of the machine. Throws `PlanError` for a device it does not know. */
export function wireBoard(context: BoardContext): Board {
  checkDevices(context.plan);
  const { plan, clock, timers, console } = context;
  const { pic, ioapic, apics, isa } = interrupts(context);
  const ports = new PortBus();
  const mmio = new MmioBus();
  const pit = new I8254(clock, timers, isa(IRQ.PIT));
  const rtc = new Mc146818(
    clock,
    timers,
    isa(IRQ.RTC),
    initialMc146818State(plan.clock.rtcStart, cmos(plan)),
  );
  const com1 = new Uart16550("com1", isa(IRQ.COM1), {
    transmit: (byte) => console.transmit(byte),
    receiveReady: () => console.pump(),
  });

  ports.add({ ...PORT.PIC_MASTER, device: pic.masterPorts });
  ports.add({ ...PORT.PIC_SLAVE, device: pic.slavePorts });
  ports.add({ ...PORT.PIC_ELCR, device: pic.elcrPorts });
  ports.add({ ...PORT.PIT, device: pit });
  ports.add({ ...PORT.RTC, device: rtc });
  ports.add({ ...PORT.COM1, device: com1 });
  addPowerControl(context, ports, pit, isa);
  mmio.add({ ...IOAPIC_MMIO, device: ioapic });

  const features = apicFeatures(plan);
  const parts = addOptional(context, ports);
  return { ports, mmio, apics: apics.map((apic) => apicPort(apic, features)), serial: com1, ...parts };
}
