/** `--device FILE,name=x,mmio=0xd0000000,irq=5,key=value`: a device of somebody's own, where it stands, its configuration. */
import type { AskedSpan } from "../devices/part.js";
import type { DeviceFile } from "../host/node/plug-ins.js";
import { UsageError } from "./args.js";
import { parseSuboptions } from "./values.js";

/** What such a value looks like: a path or a JavaScript file first. Any other is the name of a device of QEMU's. */
export const DEVICE_FILE = /^[^,=]*([\\/]|\.[cm]?js(,|$))/;

/** A start, and a size where the device has none of its own. */
const RANGE = /^(0x[0-9a-f]+|\d+)(?:\+(0x[0-9a-f]+|\d+))?$/i;
const NUMBER = /^\d+$/;

function range(key: string, text: string): AskedSpan {
  const match = RANGE.exec(text);
  if (match === null)
    throw new UsageError(
      `--device ${key}=${text}: expected a start such as 0xd0000000, and +SIZE if it needs one`,
    );
  const start = Number(match[1]);
  return match[2] === undefined ? { start } : { start, size: Number(match[2]) };
}

function interrupt(text: string): number {
  if (!NUMBER.test(text)) throw new UsageError(`--device irq=${text}: expected an ISA interrupt, 0 to 15`);
  return Number(text);
}

/** Reads one value of `--device`. Throws UsageError. */
export function parseDevice(text: string): DeviceFile {
  const [[first, file], ...pairs] = parseSuboptions(text, "file");
  if (first !== "file" || file === "" || !DEVICE_FILE.test(text))
    throw new UsageError(`--device ${text}: expected a JavaScript file first`, "--device ./mine.js,irq=5");
  const ports: AskedSpan[] = [];
  const mmio: AskedSpan[] = [];
  const irqs: number[] = [];
  const config: Record<string, string> = {};
  const device: DeviceFile = { file };
  for (const [key, value] of pairs) {
    if (key === "name" || key === "type") device[key] = value;
    else if (key === "port") ports.push(range(key, value));
    else if (key === "mmio") mmio.push(range(key, value));
    else if (key === "irq") irqs.push(interrupt(value));
    else config[key] = value;
  }
  if (ports.length > 0) device.ports = ports;
  if (mmio.length > 0) device.mmio = mmio;
  if (irqs.length > 0) device.irqs = irqs;
  if (Object.keys(config).length > 0) device.config = config;
  return device;
}
