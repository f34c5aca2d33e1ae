/** The clocks and timers of a PC as parts; the local APICs' own timers are theirs. */
import { record } from "../../bytes/shape.js";
import { isaDevice } from "../../firmware/acpi/isa-device.js";
import { RAM_HOLE } from "../../memory/layout.js";
import { ISA_IRQ, PC_PORTS } from "../../spec/pc-ports.js";
import type { MachineFacts, PartType } from "../part.js";
import { SystemControlB, systemControlBShape, type ControlByteState } from "../power/system-control.js";
import { standing } from "../standing.js";
import { cmosForMachine } from "./cmos.js";
import { I8254, i8254Shape, initialI8254State, type I8254State } from "./i8254.js";
import {
  initialMc146818State,
  Mc146818,
  mc146818Shape,
  resetMc146818,
  type Mc146818State,
} from "./mc146818.js";

/** The interval timer, with port 0x61 that gates its channel 2. */
export const i8254Part: PartType<{ timer: I8254State; control: ControlByteState }> = {
  type: "i8254",
  summary: "8254 interval timer, and system control port B",
  place: standing("i8254", { ports: [PC_PORTS.pit, PC_PORTS.systemControlB], irqs: [ISA_IRQ.pit] }),
  announce: ({ ports, irqs }) => ({ acpi: [isaDevice("TIMR", "PNP0100", { ports: [ports![0]], irqs })] }),
  state: () => record({ timer: i8254Shape, control: systemControlBShape }),
  create(_part, wires, state = { timer: initialI8254State(), control: { value: 0 } }) {
    const { clock, timers } = wires;
    const timer = new I8254(clock, timers, wires.interrupt(), state.timer);
    wires.ports(0, timer);
    wires.ports(1, new SystemControlB(clock, timer, state.control));
    return { save: () => state };
  },
};

/** CMOS bytes that say how much RAM there is, and how many CPUs. */
function cmos({ ram, cpus }: MachineFacts): number[] {
  const sizeOf = (high: boolean): number =>
    ram.filter((range) => range.start >= RAM_HOLE.start === high).reduce((sum, range) => sum + range.size, 0);
  return cmosForMachine(sizeOf(false), sizeOf(true), cpus);
}

export const mc146818Part: PartType<Mc146818State> = {
  type: "mc146818",
  summary: "real-time clock with CMOS RAM",
  place: standing("mc146818", { ports: [PC_PORTS.rtc], irqs: [ISA_IRQ.rtc] }),
  announce: (part) => ({ acpi: [isaDevice("RTC", "PNP0B00", part)] }),
  afterReset: resetMc146818,
  state: () => mc146818Shape,
  create(_part, wires, state = initialMc146818State(wires.machine.clock.rtcStart, cmos(wires.machine))) {
    wires.ports(0, new Mc146818(wires.clock, wires.timers, wires.interrupt(), state));
    return { save: () => state };
  },
};
