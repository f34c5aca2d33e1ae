/**
 * The signals of this process during a run: they are the command's once it runs, a second one of the same kind ends the run. Knows no
 * session.
 */
import { constants } from "node:os";
import type { SignalName } from "./guest-control.js";

/** Node keeps SIGUSR1 for itself. Each is one that a guest's command can get. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;
export type ForwardedSignal = (typeof SIGNALS)[number];

function withoutSig(signal: ForwardedSignal): SignalName {
  return signal.slice("SIG".length) as SignalName;
}

const SIGNAL_BASE = 128;

/** The status of what a signal ended, as a shell has it. */
export function signalStatus(signal: ForwardedSignal): number {
  return SIGNAL_BASE + constants.signals[signal];
}

/**
 * Gives each signal to `forward`, without SIG; where that does not take it, or it is the second one, to `end`. Returns what stops
 * listening.
 */
export function forwardSignals(
  forward: (name: SignalName) => boolean,
  end: (signal: ForwardedSignal) => void,
): () => void {
  const seen = new Set<ForwardedSignal>();
  const hear = (signal: ForwardedSignal): void => {
    if (seen.has(signal) || !forward(withoutSig(signal))) end(signal);
    seen.add(signal);
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return () => {
    for (const signal of SIGNALS) process.removeListener(signal, hear);
  };
}
