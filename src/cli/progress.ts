/** Progress on stderr: one line that is overwritten on a terminal, one line a step elsewhere. */
import type { Writable } from "node:stream";
import type { PullProgress } from "../guests/index.js";

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
