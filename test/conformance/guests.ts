/** Every conformance guest, by group. */
import { aluGuests } from "./cases/alu.js";
import { bitGuests } from "./cases/bits.js";
import { multiplyGuests } from "./cases/multiply.js";
import { operandGuests } from "./cases/operands.js";
import { shiftGuests } from "./cases/shifts.js";
import { smokeGuests } from "./cases/smoke.js";
import { stringGuests } from "./cases/strings.js";
import type { Guest } from "./support/guest.js";

export interface GuestGroup {
  name: string;
  guests: Guest[];
}

export function allGuests(): GuestGroup[] {
  return [
    { name: "start states", guests: smokeGuests() },
    { name: "integer arithmetic", guests: aluGuests() },
    { name: "shifts and rotations", guests: shiftGuests() },
    { name: "multiplication and division", guests: multiplyGuests() },
    { name: "bits, conditions, exchanges", guests: bitGuests() },
    { name: "operands and encodings", guests: operandGuests() },
    { name: "strings", guests: stringGuests() },
  ];
}
