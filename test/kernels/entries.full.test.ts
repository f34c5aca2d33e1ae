/** Every way into Debian's kernel with every way out of it. */
import type { GuestEnd } from "../../src/guests/index.js";
import { ENTRIES, testRoute, type Entry } from "./routes.js";

const ENDS: readonly GuestEnd[] = ["poweroff", "reboot", "halt"];

for (const entry of Object.keys(ENTRIES) as Entry[]) {
  for (const end of ENDS) testRoute(entry, end);
}
