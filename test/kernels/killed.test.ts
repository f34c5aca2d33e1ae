/** A machine killed while its guest writes to a file system with a journal (R3.6); the other tier has more. */
import { test } from "node:test";
import { killGuests } from "../support/killed-guests.js";

test("R3.6 kill -9 of a guest that writes to ext4: e2fsck finds nothing wrong, every flushed record is whole", (t) =>
  killGuests(t, 1, 17));
