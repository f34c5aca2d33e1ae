/** Where a machine's console is, by the parts of its plan. */
import type { Plan } from "../boot/plan.js";
import { comNumber, PC_PORTS } from "../spec/pc-ports.js";

/** The serial port that is the console; undefined where none is. */
export function isSerialConsole({ devices }: Pick<Plan, "devices">): number | undefined {
  const port = devices.find(({ type, config }) => type === "uart16550" && config?.["backend"] === "console");
  return port === undefined ? undefined : (port.ports?.[0]?.start ?? PC_PORTS.com1.start);
}

/** Whether it is port 0 of a virtio console. */
export function hasVirtioConsole({ devices }: Pick<Plan, "devices">): boolean {
  return devices.some(({ type }) => type === "virtio-console");
}

/** Linux' name of a serial port. */
export function serialName(port: number): string {
  const number = comNumber(port);
  return number === undefined ? `uart,io,${port}` : `ttyS${number - 1}`;
}
