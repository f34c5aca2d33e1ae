/** The keyboard controller as a part. */
import { isaDevice } from "../../firmware/acpi/isa-device.js";
import { ISA_IRQ, PC_PORTS } from "../../spec/pc-ports.js";
import type { PartType } from "../part.js";
import { standing } from "../standing.js";
import { I8042, i8042Shape, initialI8042State, type I8042State } from "./i8042.js";

export const i8042Part: PartType<I8042State> = {
  type: "i8042",
  summary: "keyboard controller",
  place: standing("i8042", {
    ports: [PC_PORTS.keyboardData, PC_PORTS.keyboardCommand],
    irqs: [ISA_IRQ.keyboard, ISA_IRQ.mouse],
  }),
  announce: ({ ports, irqs }) => ({
    acpi: [isaDevice("KBD", "PNP0303", { ports, irqs: [irqs![0]] })],
    fixed: { keyboard: true },
  }),
  state: () => i8042Shape,
  create(_part, wires, state = initialI8042State()) {
    const { power } = wires;
    const lines = { keyboardIrq: wires.interrupt(0), auxiliaryIrq: wires.interrupt(1) };
    const controller = new I8042({ ...lines, power }, state);
    wires.ports(0, controller.dataPort);
    wires.ports(1, controller.commandPort);
    return { save: () => state };
  },
};
