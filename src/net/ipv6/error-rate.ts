/** How many messages of errors are sent: a guest that provokes them without end hears no more than these. Specification: RFC 4443 §2.4 (f). */
import type { NetClock } from "../clock.js";

/** At once, and for each millisecond that has passed since. */
export const MOST_ERRORS = 100;
const ERRORS_A_MS = 1;

export class ErrorRate {
  #left = MOST_ERRORS;
  #at: number;

  constructor(private readonly clock: NetClock) {
    this.#at = clock.now();
  }

  /** Whether one more may be sent; it counts then. */
  take(): boolean {
    const now = this.clock.now();
    this.#left = Math.min(MOST_ERRORS, this.#left + (now - this.#at) * ERRORS_A_MS);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
