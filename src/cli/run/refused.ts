/** A run that cannot be: why, in a word for programs, and in a sentence for people. */
import type { GuestError, GuestFault } from "../../guests/index.js";
import type { RunReason } from "./outcome.js";

/** Of what may be the matter with a guest or a package: that it is not to be had. */
const UNAVAILABLE: readonly GuestFault[] = ["no-apt", "not-found", "network", "fetch"];

export class RunRefused extends Error {
  override readonly name = "RunRefused";
  constructor(
    readonly reason: RunReason,
    message: string,
  ) {
    super(message);
  }
}

/** What an error that ended a run before its machine began is called. */
export function reasonOf(error: unknown): RunReason {
  if (error instanceof RunRefused) return error.reason;
  // By its name, because it may come from another thread as data.
  if (!(error instanceof Error) || error.name !== "GuestError") return "not-started";
  return UNAVAILABLE.includes((error as GuestError).fault) ? "unavailable" : "not-started";
}
