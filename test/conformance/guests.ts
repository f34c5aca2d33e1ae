/** Every conformance guest, by group. */
import { aluGuests } from "./cases/alu.js";
import { shiftGuests } from "./cases/shifts.js";
import { smokeGuests } from "./cases/smoke.js";
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
  ];
}
