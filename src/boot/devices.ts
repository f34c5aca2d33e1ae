/**
 * The machine's devices as the plan lists them: names, addresses and interrupts. The machine builds one device
 * for each; the firmware tables describe the same numbers.
 */
import { IOAPIC_MMIO, IRQ, LAPIC_MMIO, PORT } from "../memory/layout.js";
import type { PlanDevice } from "./plan.js";

/** In the order of their addresses; interrupt controllers with MMIO last. */
export function planDevices(): PlanDevice[] {
  return [
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
}

function spans(...ranges: readonly { start: number; size: number }[]): { start: number; size: number }[] {
  return ranges.map(({ start, size }) => ({ start, size }));
}
