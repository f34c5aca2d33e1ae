/** What takes text byte by byte, as parts: the serial port, and the debug console of firmware. */
import { isaDevice } from "../../firmware/acpi/isa-device.js";
import { integer, name } from "../../firmware/acpi/aml.js";
import { comNumber } from "../../spec/pc-ports.js";
import { ISA_IRQ, PC_PORTS } from "../../spec/pc-ports.js";
import type { PartType } from "../part.js";
import { Socket } from "../socket.js";
import { standing } from "../standing.js";
import { DebugConsole, debugConsoleShape, type DebugConsoleState } from "./debug-console.js";
import { initialUart16550State, Uart16550, uart16550Shape, type Uart16550State } from "./uart16550.js";

/** Configuration of the serial port that the machine's console is. */
export const CONSOLE_CONFIG = { backend: "console" } as const;

/** What firmware has logged. */
export const FIRMWARE_LOG = new Socket<() => string>("firmware's log");

/** Where what is sent goes, and whence comes what is received, is `config.backend`: "console", or nothing. */
export const uart16550Part: PartType<Uart16550State> = {
  type: "uart16550",
  summary: "16550A serial port",
  place: standing("uart16550", { ports: [PC_PORTS.com1], irqs: [ISA_IRQ.com1], movable: true }),
  announce(part) {
    const { start } = part.ports![0];
    const number = comNumber(start);
    const where =
      number === undefined ? `U${start.toString(16).toUpperCase().padStart(3, "0")}` : `COM${number}`;
    return { acpi: [isaDevice(where, "PNP0501", part, name("_UID", integer(number ?? start)))] };
  },
  state: () => uart16550Shape,
  create(part, wires, state = initialUart16550State()) {
    const { console } = wires;
    const connected = part.config?.["backend"] === CONSOLE_CONFIG.backend;
    const events = connected
      ? { transmit: (byte: number) => console.transmit(byte), receiveReady: () => console.receiveReady() }
      : { transmit: () => undefined };
    const uart = new Uart16550(part.name, wires.interrupt(), events, state);
    wires.ports(0, uart);
    if (connected) console.connect(uart);
    return { save: () => state };
  },
};

export const debugConsolePart: PartType<DebugConsoleState> = {
  type: "debug-console",
  summary: "the port that firmware logs to",
  place: standing("debug-console", { ports: [PC_PORTS.debugConsole] }),
  state: () => debugConsoleShape,
  create(_part, wires, state = { text: "" }) {
    wires.ports(0, new DebugConsole(state));
    wires.offer(FIRMWARE_LOG, () => state.text);
    return { save: () => state };
  },
};
