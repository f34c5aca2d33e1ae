/**
 * Exact conversion between nanoseconds of the machine's clock and ticks of an oscillator, so that every timer
 * of the machine is a view of one clock and none drifts (R3.2). Knows no device. Plain 53-bit arithmetic: no
 * product is formed that a safe integer cannot hold.
 */

export const NS_PER_SECOND = 1_000_000_000;
/** Nanoseconds of a second are split as a × 10^5 + b, so that products with a rate below 10^9 stay exact. */
const LOW_PART = 100_000;
const HIGH_UNITS_PER_SECOND = NS_PER_SECOND / LOW_PART;

/** Floor of `rest` ns at `hz`, for `rest` below one second. */
function ticksWithinSecond(rest: number, hz: number): number {
  const whole = Math.floor(hz / NS_PER_SECOND);
  const fraction = hz % NS_PER_SECOND;
  const high = Math.floor(rest / LOW_PART) * fraction;
  const low = (rest % LOW_PART) * fraction;
  const carried = (high % HIGH_UNITS_PER_SECOND) * LOW_PART;
  return (
    rest * whole + Math.floor(high / HIGH_UNITS_PER_SECOND) + Math.floor((carried + low) / NS_PER_SECOND)
  );
}

/**
 * How many ticks of an oscillator of `hz` (an integer, 1 to 10^11) have passed at `ns`, rounded down. Exact as
 * long as the result is a safe integer.
 */
export function ticksAt(ns: number, hz: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * hz + ticksWithinSecond(ns - seconds * NS_PER_SECOND, hz);
}

/** The first nanosecond at which `ticksAt` reaches `ticks`. Exact as long as the result is a safe integer. */
export function timeOfTick(ticks: number, hz: number): number {
  const seconds = Math.floor(ticks / hz);
  const rest = ticks - seconds * hz;
  let within = Math.round((rest / hz) * NS_PER_SECOND);
  while (within > 0 && ticksWithinSecond(within - 1, hz) >= rest) within--;
  while (ticksWithinSecond(within, hz) < rest && within < NS_PER_SECOND) within++;
  return seconds * NS_PER_SECOND + within;
}
