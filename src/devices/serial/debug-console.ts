/**
 * The debug console of PC firmware: one port that takes a text byte by byte and reads as a fixed value, so that
 * firmware can tell that it is there. Keeps the end of what was written; knows not who reads it.
 *
 * Specification: QEMU hw/char/debugcon.c; Bochs, port 0xe9.
 */
import { record, refine, text } from "../../bytes/shape.js";
import { DEBUG_CONSOLE_READBACK } from "../../spec/fw-cfg.js";
import type { AccessSize, PortDevice } from "../device.js";

/** A talkative firmware says some 20 KiB; what is beyond this is dropped from the front. */
const LONGEST = 1 << 18;

export interface DebugConsoleState {
  /** One character a byte. */
  text: string;
}

/** Characters that are no byte. */
const NO_BYTE = /[^\u0000-\u00ff]/;

export const debugConsoleShape = record<DebugConsoleState>({
  text: refine(text(2 * LONGEST), (said) =>
    NO_BYTE.test(said) ? { found: "a character above U+00FF", expected: "one character a byte" } : undefined,
  ),
});

export class DebugConsole implements PortDevice {
  readonly name = "debug console";

  constructor(readonly state: DebugConsoleState = { text: "" }) {}

  readPort(_offset: number, size: AccessSize): number {
    return size === 1 ? DEBUG_CONSOLE_READBACK : 0xffff_ffff >>> (32 - 8 * size);
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.state.text += String.fromCharCode(value & 0xff);
    // Cut by halves, so that the copying is seldom.
    if (this.state.text.length >= 2 * LONGEST) this.state.text = this.state.text.slice(-LONGEST);
  }
}
