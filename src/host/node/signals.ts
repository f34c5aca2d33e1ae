/**
 * Signals that ask this process to end, turned into calls. A second one of the same kind ends the process the
 * ordinary way, so that a hanging program can always be ended.
 */
const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** Calls `handler` for the first of each; returns a function that stops listening. */
export function onEndingSignal(handler: (signal: EndingSignal) => void): () => void {
  for (const signal of ENDING_SIGNALS) process.once(signal, handler);
  return () => {
    for (const signal of ENDING_SIGNALS) process.removeListener(signal, handler);
  };
}

/** Calls `handler` whenever somebody asks by SIGQUIT; returns a function that stops listening. */
export function onAskingSignal(handler: () => void): () => void {
  process.on("SIGQUIT", handler);
  return () => void process.removeListener("SIGQUIT", handler);
}

/** A signal for whatever can be aborted, aborted by the first ending signal, and what stops listening. */
export function abortOnEndingSignal(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, forget: onEndingSignal(() => controller.abort()) };
}
