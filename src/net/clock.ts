/** Time as the network sees it: a host's, or a test's. */

export interface NetClock {
  /** Milliseconds, of whatever beginning; never goes back. */
  now(): number;
  /** Calls back once, in so many milliseconds; gives what takes that back. */
  after(milliseconds: number, callback: () => void): () => void;
}
