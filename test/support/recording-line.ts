/** An interrupt line that remembers its level and counts its rising edges. */
import type { InterruptLine } from "../../src/devices/device.js";

export class RecordingLine implements InterruptLine {
  level = false;
  rises = 0;

  set(raised: boolean): void {
    if (raised && !this.level) this.rises++;
    this.level = raised;
  }
}
