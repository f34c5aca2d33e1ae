/** R6.2 nothing is forgotten: machines that go on from their files before every single instruction. */
import { test } from "node:test";
import { moveAlong } from "../support/every-instruction.js";
import { MOVED_GUESTS } from "../support/moved-guests.js";

for (const guest of MOVED_GUESTS)
  test(`R6.2 saved and restored before every instruction: ${guest.name}`, (t) => moveAlong(t, guest, 1));
