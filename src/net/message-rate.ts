/**
 * How many messages of one kind are sent that a guest provokes: if it does so without end, it hears no more than these. Specification:
 * RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8.
 */
import type { NetClock } from "./clock.js";

/** At once, and for each millisecond that has passed since. */
export const MOST_MESSAGES = 100;
const MESSAGES_A_MS = 1;

export class MessageRate {
  #left = MOST_MESSAGES;
  #at: number;

  constructor(private readonly clock: NetClock) {
    this.#at = clock.now();
  }

  /** Whether one more may be sent; it counts then. */
  take(): boolean {
    const now = this.clock.now();
    this.#left = Math.min(MOST_MESSAGES, this.#left + (now - this.#at) * MESSAGES_A_MS);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
