/**
 * The host's monotonic time, the same in every thread. `performance` has it too, but Node loads that when it is first asked for: 1 ms
 * of a start.
 */
const NS_PER_SECOND = 1e9;
const NS_PER_MS = 1e6;

/** Ns since some moment before the process was started. */
export function hostNs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * NS_PER_SECOND + ns;
}

/** How long after the start of the process that moment was, ms. For the main thread. */
export function sinceProcessStart(ns: number): number {
  return performance.now() - (hostNs() - ns) / NS_PER_MS;
}
