/**
 * The debug-exit port: a guest ends the machine by writing a value, which becomes the exit status
 * `(value << 1) | 1` as with QEMU's isa-debug-exit. The status is made by who ends the machine; this device
 * hands on the value. It may be decoded at several addresses.
 */
import type { AccessSize, PortDevice, PowerControl } from "../device.js";
import { ROUTE } from "./reset-routes.js";

export class DebugExit implements PortDevice {
  readonly name = "debug exit";

  constructor(private readonly power: PowerControl) {}

  readPort(_offset: number, size: AccessSize): number {
    return 0xffffffff >>> (32 - 8 * size);
  }

  /** The value is that of the access, of whatever size. */
  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.power.request({ kind: "debug-exit", route: ROUTE.debugExit, value });
  }
}
