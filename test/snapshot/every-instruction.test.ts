/**
 * R6.2 nothing is forgotten: machines that are saved and go on from their files, in the middle of all that hardware hides, are
 * in every bit what one is that never stopped. The full tier does so before every instruction.
 */
import { test } from "node:test";
import { moveAlong } from "../support/every-instruction.js";
import { MOVED_GUESTS } from "../support/moved-guests.js";

/** A prime: loops are cut everywhere. */
const STRIDE = 37;

for (const guest of MOVED_GUESTS) {
  const stride = guest.stride ?? STRIDE;
  test(`R6.2 saved and restored every ${stride} instructions: ${guest.name}`, (t) =>
    moveAlong(t, guest, stride));
}
