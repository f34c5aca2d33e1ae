/** Times as people read them. */

const MS = 1000;
const MINUTE = 60;
/** Above this a tenth of a second says nothing. */
const LONG_S = 100;

/** "2.1 s", "3 min 20 s". */
export function shownTime(ms: number): string {
  const seconds = ms / MS;
  if (seconds < LONG_S) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
}
