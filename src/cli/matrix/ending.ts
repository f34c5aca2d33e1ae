/** The signals that end a matrix: the first asks its cells to end, a second one ends them at once. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndingSignal = (typeof SIGNALS)[number];

const SIGNAL_BASE = 128;

/** The status of what a signal ended, as a shell has it. */
export function statusOfSignal(signal: EndingSignal): number {
  return SIGNAL_BASE + constants.signals[signal];
}

/** Calls `first` for the first of them and `again` for each that follows; returns what stops listening. */
export function onEndingSignals(first: (signal: EndingSignal) => void, again: () => void): () => void {
  let heard = false;
  const hear = (signal: NodeJS.Signals): void => {
    if (heard) again();
    else first(signal as EndingSignal);
    heard = true;
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return () => {
    for (const signal of SIGNALS) process.removeListener(signal, hear);
  };
}
