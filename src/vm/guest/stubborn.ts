/** A guest that does not end what was killed: how long it is waited for, and what is said of it. */
import { VmError } from "../vm-error.js";

/** How long a guest may take to end what is to be killed, ms: it may be busy. */
export const KILL_PATIENCE_MS = 30_000;

/** `what`: what was killed, `why` since when. */
export function stubborn(what: string, why = ""): VmError {
  return new VmError("timeout", what, {
    found: `a command that runs ${KILL_PATIENCE_MS} ms after it was killed${why}`,
    expected: "its end",
    meaning:
      "A machine that is paused ends nothing: vm.resume(). Of any other vm.diagnose() says where it is.",
  });
}
