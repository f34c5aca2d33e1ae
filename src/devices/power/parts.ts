/** The ways to switch a machine off and to reset it, as parts. The keyboard controller's is its own. */
import { record } from "../../bytes/shape.js";
import { ISA_IRQ, PC_PORTS } from "../../spec/pc-ports.js";
import type { PartType } from "../part.js";
import { Socket } from "../socket.js";
import { standing } from "../standing.js";
import { AcpiPm, acpiPmShape, initialAcpiPmState, type AcpiPmState } from "./acpi-pm.js";
import { DebugExit } from "./debug-exit.js";
import {
  initialSystemControlA,
  ResetControl,
  resetControlShape,
  SystemControlA,
  systemControlAShape,
  type ControlByteState,
} from "./system-control.js";

/** The port of the ACPI PM timer where nobody has moved it. */
export const PM_TIMER_PORT = 0x608;

/** Event block, control block, timer and general-purpose events of ACPI: above every ISA device. */
const ACPI_PM_PORTS = [
  { start: 0x600, size: 4 },
  { start: 0x604, size: 2 },
  { start: PM_TIMER_PORT, size: 4 },
  { start: 0x60c, size: 4 },
] as const;

/** Presses the power button. */
export const POWER_BUTTON = new Socket<() => void>("power button");

/** Raises the general-purpose event of this number, 0 to 15. Throws RangeError for another. */
export const GENERAL_EVENTS = new Socket<(event: number) => void>("general-purpose events");

export const acpiPmPart: PartType<AcpiPmState> = {
  type: "acpi-pm",
  summary: "ACPI power management: soft-off, power button, timer, general-purpose events",
  place: standing("acpi-pm", { ports: ACPI_PM_PORTS, irqs: [ISA_IRQ.sci], movable: true }),
  announce({ ports, irqs }) {
    const [event, control, timer, general] = ports!;
    const [sci] = irqs!;
    return { fixed: { powerManagement: { sci, event, control, timer, general } }, levelIrqs: [sci] };
  },
  state: () => acpiPmShape,
  create(_part, wires, state = initialAcpiPmState()) {
    const { clock, timers, power } = wires;
    const acpi = new AcpiPm({ clock, timers, sci: wires.interrupt(), power }, state);
    wires.ports(0, acpi.eventPorts, "whole");
    wires.ports(1, acpi.controlPorts, "whole");
    wires.ports(2, acpi.timerPorts, "whole");
    wires.ports(3, acpi.generalPorts, "whole");
    wires.offer(GENERAL_EVENTS, (event) => acpi.raise(event));
    wires.offer(POWER_BUTTON, () => acpi.pressPowerButton());
    return { save: () => state };
  },
};

export const systemControlAPart: PartType<ControlByteState> = {
  type: "system-control-a",
  summary: "system control port A: A20, fast reset",
  place: standing("system-control-a", { ports: [PC_PORTS.systemControlA] }),
  state: () => systemControlAShape,
  create(_part, wires, state = initialSystemControlA()) {
    wires.ports(0, new SystemControlA(wires.power, undefined, state));
    return { save: () => state };
  },
};

export const resetControlPart: PartType<ControlByteState> = {
  type: "reset-control",
  summary: "reset control register",
  place: standing("reset-control", { ports: [PC_PORTS.resetControl] }),
  announce: ({ ports }) => ({ fixed: { resetPort: ports![0].start } }),
  state: () => resetControlShape,
  create(_part, wires, state = { value: 0 }) {
    // Wider accesses at 0xcf8 belong to PCI configuration.
    wires.ports(0, new ResetControl(wires.power, state), "byte-only");
    return { save: () => state };
  },
};

export const debugExitPart: PartType = {
  type: "debug-exit",
  summary: "ends the machine with a status, at the two places that test guests use",
  place: standing("debug-exit", { ports: [PC_PORTS.debugExit, PC_PORTS.debugExitAlias], movable: true }),
  state: () => record<object>({}),
  create(_part, wires) {
    const exit = new DebugExit(wires.power);
    wires.ports(0, exit, "whole");
    wires.ports(1, exit, "whole");
    return { save: () => ({}) };
  },
};
