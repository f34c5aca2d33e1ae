/** How long to wait for an acknowledgement. Specification: RFC 6298; times are milliseconds. */

const INITIAL_MS = 1000;
/**
 * RFC 6298 says a second, for networks in which segments overtake each other. Between a guest and its monitor there is one ring;
 * a guest that acknowledges late does so within 200 ms.
 */
const LEAST_MS = 300;
const MOST_MS = 60_000;
const GRANULARITY_MS = 1;
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;

export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;
  #timeout = INITIAL_MS;
  /** What it is without backing off. */
  #wanted = INITIAL_MS;

  /** The present timeout. */
  get timeout(): number {
    return this.#timeout;
  }

  /** It took so long (§2.2, §2.3). Of segments that were sent once only: Karn's algorithm is the caller's. */
  measured(milliseconds: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = milliseconds;
      this.#variation = milliseconds / 2;
    } else {
      this.#variation = (1 - BETA) * this.#variation + BETA * Math.abs(this.#smoothed - milliseconds);
      this.#smoothed = (1 - ALPHA) * this.#smoothed + ALPHA * milliseconds;
    }
    const wanted = this.#smoothed + Math.max(GRANULARITY_MS, K * this.#variation);
    this.#timeout = this.#wanted = Math.min(MOST_MS, Math.max(LEAST_MS, wanted));
  }

  /** What took too long was no loss. */
  forgive(): void {
    this.#timeout = this.#wanted;
  }

  /** It took too long (§5.5). */
  backOff(): void {
    this.#timeout = Math.min(MOST_MS, 2 * this.#timeout);
  }
}
