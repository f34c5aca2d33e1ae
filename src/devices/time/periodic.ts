/**
 * How periodic interrupts are paced. A guest may program a period of one tick; the host must not spin for it.
 * Edges that come faster than `MINIMUM_INTERVAL_NS` are coalesced, as they are on hardware where a second edge
 * finds the request bit still set. Edges that were missed because the host was late are caught up, so that a
 * guest that counts ticks keeps time, but not further back than `MAXIMUM_LAG_NS`. Knows no device.
 */
import { ticksAt } from "./tick-rate.js";

/** Shortest distance of two deliveries: 20 kHz, above every tick rate that operating systems use. */
export const MINIMUM_INTERVAL_NS = 50_000;
const NS_PER_SECOND = 1_000_000_000;
/** How far behind the clock a tick may be and still be delivered. */
export const MAXIMUM_LAG_NS = 250_000_000;

/**
 * The tick after which the next periodic edge may be delivered, when the last one was at tick `previous` and
 * the clock is at tick `now`, both of an oscillator of `hz`.
 */
export function earliestAfter(previous: number, now: number, hz: number): number {
  const spacing = Math.ceil((MINIMUM_INTERVAL_NS * hz) / NS_PER_SECOND);
  return Math.max(previous + spacing - 1, now - ticksAt(MAXIMUM_LAG_NS, hz));
}
