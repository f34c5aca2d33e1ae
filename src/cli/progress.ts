/** Progress on stderr: one line that is overwritten on a terminal, one line a step elsewhere. */
import type { Writable } from "node:stream";
import type { PullOptions, PullProgress } from "../guests/index.js";
import { abortOnEndingSignal } from "../host/node/signals.js";

const PERCENT = 100;
/** What is being done, in words; other steps are words already. */
const STEP_WORDS: Readonly<Record<string, string>> = {
  waiting: "waiting for",
  lists: "fetching",
  download: "fetching",
  unpack: "unpacking",
} satisfies Record<PullProgress["step"], string>;
const USUAL_COLUMNS = 80;
const CLEAR_LINE = "\r\x1b[K";

/** What is being done, with what, and how far it is. */
export type ShownProgress = Omit<PullProgress, "step"> & { readonly step: string };

export interface ProgressLine {
  show(event: ShownProgress): void;
  /** Removes the line. */
  done(): void;
}

/** What is being done, as a line. What has a fraction is told by who does it, apt, in a sentence of its own. */
export function progressText({ guest, step, detail, fraction }: ShownProgress): string {
  const words = STEP_WORDS[step] as string | undefined;
  const what = words !== undefined && fraction !== undefined ? detail : `${words ?? step} ${detail}`;
  return `${guest}: ${what}${fraction === undefined ? "" : `, ${Math.floor(fraction * PERCENT)} %`}`;
}

/** A line on `stream`. */
export function progressLine(stream: Writable & { isTTY?: boolean; columns?: number }): ProgressLine {
  let last = "";
  let shown = false;
  return {
    show(event) {
      const { guest, step } = event;
      if (stream.isTTY === true) {
        shown = true;
        // What goes on in the next line of the terminal could not be removed.
        stream.write(CLEAR_LINE + progressText(event).slice(0, (stream.columns ?? USUAL_COLUMNS) - 1));
      } else if (`${guest} ${step}` !== last) {
        last = `${guest} ${step}`;
        stream.write(`${progressText(event)}\n`);
      }
    },
    done() {
      if (shown) stream.write(CLEAR_LINE);
      shown = false;
    },
  };
}

/** Tells where the cache is when that is not where its user meant it to be. */
async function noteCacheFolder(stream: Writable): Promise<void> {
  const { defaultCacheFolder, ignoredCacheHome } = await import("../guests/index.js");
  const ignored = ignoredCacheHome();
  if (ignored === undefined) return;
  const why = `XDG_CACHE_HOME=${ignored} is no absolute path and is not taken`;
  stream.write(`locore: ${why}; the cache is ${defaultCacheFolder()}\n`);
}

/** Fetches with a line of progress on `stream`, which is gone afterwards; a signal that ends the process aborts it. */
export async function showingProgress<T>(
  stream: Writable & { isTTY?: boolean },
  fetch: (options: Pick<PullOptions, "progress" | "signal">) => Promise<T>,
): Promise<T> {
  await noteCacheFolder(stream);
  const progress = progressLine(stream);
  const { signal, forget } = abortOnEndingSignal();
  try {
    const fetched = await fetch({ progress: progress.show, signal });
    // Where all was cached, nothing looked at the signal.
    signal.throwIfAborted();
    return fetched;
  } catch (error) {
    // What is complained of after a Ctrl-C is no news.
    signal.throwIfAborted();
    throw error;
  } finally {
    forget();
    progress.done();
  }
}
