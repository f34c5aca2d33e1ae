/** Waits for a text among what a guest writes. What was matched, and all before it, is not looked at again. */
import { ABORT_SIGNAL, ANYTHING, checkOptions, checkValue, type Kind, type KindsOf } from "./option-kinds.js";
import { afterPatience, checkPatience } from "./patience.js";
import { VmError } from "./vm-error.js";

/** Characters without a match that are looked at: a pattern that needs more is not found. */
const WINDOW = 1 << 16;
const SHOWN = 200;

/** What was found. */
export interface Expected {
  /** The text that matched. */
  readonly text: string;
  /** Of a pattern: what its groups are. */
  readonly groups: readonly (string | undefined)[];
  /** What came before it, behind the last match. */
  readonly before: string;
}

export interface ExpectOptions {
  /** Absent or Infinity: as long as the machine runs. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const PATTERN: Kind = {
  is: (value) => typeof value === "string" || value instanceof RegExp,
  expected: "a text, or a regular expression",
};
const KINDS: KindsOf<ExpectOptions> = { timeoutMs: ANYTHING, signal: ABORT_SIGNAL };

interface Waiting {
  pattern: RegExp;
  resolve: (found: Expected) => void;
  reject: (reason: unknown) => void;
}

/** The pattern without what would make it remember where it was. */
function searching(pattern: RegExp | string): RegExp {
  if (typeof pattern !== "string") return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
  return new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
}

export class Expecting {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";
  #waiting: Waiting[] = [];
  #over: Error | undefined;

  take(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    this.#look();
    if (this.#text.length > WINDOW) this.#text = this.#text.slice(-WINDOW);
  }

  /** Rejects with VmError "timeout", "ended" and "option", and with the signal's reason. */
  async expect(pattern: RegExp | string, options: ExpectOptions = {}): Promise<Expected> {
    checkValue("expect", pattern, PATTERN);
    checkOptions("expect", options, KINDS);
    const { timeoutMs, signal } = options;
    signal?.throwIfAborted();
    checkPatience("timeoutMs", timeoutMs);
    let forget: (() => void) | undefined;
    let aborted: (() => void) | undefined;
    let mine: Waiting | undefined;
    try {
      return await new Promise<Expected>((resolve, reject) => {
        mine = { pattern: searching(pattern), resolve, reject };
        this.#waiting.push(mine);
        aborted = () => reject(signal?.reason);
        signal?.addEventListener("abort", aborted);
        forget = afterPatience(timeoutMs, () => reject(this.#missing(pattern, `${timeoutMs} ms`)));
        this.#look();
        if (this.#over !== undefined) reject(this.#over);
      });
    } finally {
      forget?.();
      if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
      this.#waiting = this.#waiting.filter((one) => one !== mine);
    }
  }

  /** Nothing more comes. */
  finish(error: Error): void {
    this.#over = error;
    for (const { reject } of this.#waiting) reject(error);
  }

  #missing(pattern: RegExp | string, time: string): VmError {
    const shown = JSON.stringify(this.#text.slice(-SHOWN));
    return new VmError("timeout", "console", {
      found: `${shown} in ${time}`,
      expected: typeof pattern === "string" ? JSON.stringify(pattern) : `${pattern}`,
    });
  }

  /** Whoever waits longest is asked first. */
  #look(): void {
    for (const one of [...this.#waiting]) {
      const match = one.pattern.exec(this.#text);
      if (match === null) continue;
      this.#waiting = this.#waiting.filter((other) => other !== one);
      const [text, ...groups] = match;
      one.resolve({ text, groups, before: this.#text.slice(0, match.index) });
      this.#text = this.#text.slice(match.index + text.length);
    }
  }
}
