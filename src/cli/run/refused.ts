/** A run that cannot be: why, in a word for programs, and in a sentence for people. */
import type { RunReason } from "./outcome.js";

export class RunRefused extends Error {
  override readonly name = "RunRefused";
  constructor(
    readonly reason: RunReason,
    message: string,
  ) {
    super(message);
  }
}
