/** Progress on stderr: one line that is overwritten on a terminal, one line a step elsewhere. */
import type { Writable } from "node:stream";
import type { PullOptions, PullProgress } from "../guests/index.js";
import { abortOnEndingSignal } from "../host/node/signals.js";

const PERCENT = 100;
const CLEAR_LINE = "\r\x1b[K";

export interface ProgressLine {
  show(event: PullProgress): void;
  /** Removes the line. */
  done(): void;
}

/** A line on `stream`. */
export function progressLine(stream: Writable & { isTTY?: boolean }): ProgressLine {
  let last = "";
  let shown = false;
  return {
    show({ guest, step, detail, fraction }) {
      const percent = fraction === undefined ? "" : ` ${Math.floor(fraction * PERCENT)} %`;
      if (stream.isTTY === true) {
        shown = true;
        stream.write(`${CLEAR_LINE}${guest}: ${step} ${detail}${percent}`);
      } else if (`${guest} ${step}` !== last) {
        last = `${guest} ${step}`;
        stream.write(`${guest}: ${step} ${detail}\n`);
      }
    },
    done() {
      if (shown) stream.write(CLEAR_LINE);
      shown = false;
    },
  };
}

/** Fetches with a line of progress on `stream`, which is gone afterwards; a signal that ends the process aborts it. */
export async function showingProgress<T>(
  stream: Writable & { isTTY?: boolean },
  fetch: (options: Pick<PullOptions, "progress" | "signal">) => Promise<T>,
): Promise<T> {
  const progress = progressLine(stream);
  const { signal, forget } = abortOnEndingSignal();
  try {
    return await fetch({ progress: progress.show, signal });
  } catch (error) {
    // A terminal's Ctrl-C reaches apt as well: what it then complains of is no news.
    signal.throwIfAborted();
    throw error;
  } finally {
    forget();
    progress.done();
  }
}
