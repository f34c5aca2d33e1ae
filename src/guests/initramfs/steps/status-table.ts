/** What is said of a process that has ended, for each way in which one ends: no step writes a number as digits. */

const BYTES = 256;
const SIGNAL_MASK = 0x7f;

const line = (word: "status" | "signal", number: number): string =>
  `${word} ${String(number).padStart(3, "0")}\n`;

/** Bytes of an entry. */
export const STATUS_BYTES = line("status", 0).length;

/** Entries by the second byte of what `wait4` gives, for who ended by itself; and by the first, for whom a signal ended. */
export function statusTable(): { byItself: string; bySignal: string } {
  const numbers = Array.from({ length: BYTES }, (_, at) => at);
  return {
    byItself: numbers.map((second) => line("status", second)).join(""),
    bySignal: numbers.map((first) => line("signal", first & SIGNAL_MASK)).join(""),
  };
}
