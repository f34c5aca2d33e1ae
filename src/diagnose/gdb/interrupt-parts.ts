/** The states of interrupt controllers among those of a board. */
import type { I8259State } from "../../devices/interrupts/i8259.js";
import type { IoapicState } from "../../devices/interrupts/ioapic.js";
import type { LapicState } from "../../devices/interrupts/lapic-state.js";
import type { Plan } from "../../boot/plan.js";
import type { BoardState } from "../../machine/board.js";

/** What the parts of these types save. */
export interface InterruptParts {
  lapic: { cpus: LapicState[] };
  ioapic: IoapicState;
  i8259: I8259State;
}

/** The state of the first part of a type, which is one built in; undefined where there is none. */
export function apicPart<Type extends keyof InterruptParts>(
  plan: Plan,
  states: BoardState,
  type: Type,
): InterruptParts[Type] | undefined {
  const part = plan.devices.find((one) => one.type === type);
  return part && (states[part.name] as InterruptParts[Type] | undefined);
}
