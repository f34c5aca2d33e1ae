/**
 * Wires between interrupt sources and interrupt controllers: one source to several inputs, several sources to
 * one input. Knows no device and no controller; which wire goes where is the machine's choice.
 */
import type { InterruptLine } from "../device.js";

/** One source that drives several inputs, as an ISA interrupt drives the 8259 and an IOAPIC pin. */
export class IrqFanout implements InterruptLine {
  private readonly lines: readonly InterruptLine[];

  constructor(...lines: InterruptLine[]) {
    this.lines = lines;
  }

  set(raised: boolean): void {
    for (const line of this.lines) line.set(raised);
  }
}

/** Several sources on one input (a wired OR): the input is up while any source is. */
export class SharedLine {
  private readonly raised = new Set<number>();
  private sources = 0;

  constructor(private readonly target: InterruptLine) {}

  /** A new source of this line, down at first. */
  source(): InterruptLine {
    const id = this.sources++;
    return {
      set: (raised) => {
        if (raised) this.raised.add(id);
        else this.raised.delete(id);
        this.target.set(this.raised.size > 0);
      },
    };
  }
}
