/**
 * The machine's devices as the plan lists them: names, addresses and interrupts. The machine builds one device
 * for each; the firmware tables describe the same numbers.
 */
import { IOAPIC_MMIO, IRQ, LAPIC_MMIO, PORT, VGA_MEMORY } from "../memory/layout.js";
import type { PlanDevice } from "./plan.js";

function spans(...ranges: readonly { start: number; size: number }[]): { start: number; size: number }[] {
  return ranges.map(({ start, size }) => ({ start, size }));
}

/** What not every machine has. */
export interface OptionalDevices {
  /** It starts in firmware, which asks for its configuration and has a log. */
  firmware: boolean;
  vga: boolean;
}

/** In the order of their addresses; interrupt controllers with MMIO last, then what not every machine has. */
export function planDevices({ firmware, vga }: OptionalDevices): PlanDevice[] {
  return [...ALWAYS, ...(firmware ? FOR_FIRMWARE : []), ...(vga ? VGA : [])].map((device) =>
    structuredClone(device),
  );
}

const ALWAYS: readonly PlanDevice[] = [
  { name: "i8259", ports: spans(PORT.PIC_MASTER, PORT.PIC_SLAVE, PORT.PIC_ELCR) },
  { name: "i8254", ports: spans(PORT.PIT, PORT.SYSTEM_CONTROL_B), irq: IRQ.PIT },
  { name: "i8042", ports: spans(PORT.I8042_DATA, PORT.I8042_COMMAND), irq: IRQ.KEYBOARD },
  { name: "mc146818", ports: spans(PORT.RTC), irq: IRQ.RTC },
  { name: "system-control-a", ports: spans(PORT.SYSTEM_CONTROL_A) },
  { name: "debug-exit", ports: spans(PORT.DEBUG_EXIT, PORT.DEBUG_EXIT_ALIAS) },
  { name: "uart16550", ports: spans(PORT.COM1), irq: IRQ.COM1 },
  {
    name: "acpi-pm",
    ports: spans(PORT.ACPI_PM1_EVENT, PORT.ACPI_PM1_CONTROL, PORT.ACPI_PM_TIMER),
    irq: IRQ.SCI,
  },
  { name: "reset-control", ports: spans(PORT.RESET_CONTROL) },
  { name: "ioapic", mmio: spans(IOAPIC_MMIO) },
  { name: "lapic", mmio: spans(LAPIC_MMIO) },
];

const FOR_FIRMWARE: readonly PlanDevice[] = [
  { name: "debug-console", ports: spans(PORT.DEBUG_CONSOLE) },
  { name: "fw_cfg", ports: spans(PORT.FW_CFG, PORT.FW_CFG_DMA) },
];
const VGA: readonly PlanDevice[] = [
  {
    name: "vga",
    ports: spans(PORT.BOCHS_DISPLAY, PORT.VGA, PORT.VGA_CRTC, PORT.VGA_STATUS),
    mmio: spans(VGA_MEMORY),
  },
];
