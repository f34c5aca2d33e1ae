/**
 * Notices that a program makes no progress: it neither says that it does nor do the files in its folders change. Knows
 * neither the program nor what is to be said about it.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";

/** How often is looked, ms; at a limit below four of these, four times as often as that. */
const LOOK_MS = 1_000;
const LOOKS = 4;

export interface WatchOptions {
  /** Without progress for this long, ms, the watch strikes. */
  limitMs: number;
  /** Where the program writes. */
  folders: readonly string[];
  /** What then is the matter. */
  onStall: () => Promise<Error>;
}

/** The files of a folder with their sizes and times, as text that differs when any of them does. */
async function stateOf(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const states = names.sort().map(async (name) => {
    const found = await stat(path.join(folder, name)).catch(() => undefined);
    return `${name} ${found?.size} ${found?.mtimeMs}`;
  });
  return (await Promise.all(states)).join("\n");
}

/** One watch, from its making until `stop`. */
export class ProgressWatch {
  readonly #options: WatchOptions;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #lookMs: number;
  /** Looks are counted, not time: a process that was stopped for a while has not watched. */
  #quietLooks = 0;
  #state = "";
  #looking = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#lookMs = Math.min(LOOK_MS, options.limitMs / LOOKS);
    this.#timer = setInterval(() => void this.#look(), this.#lookMs);
  }

  /** Aborted, with what is the matter as its reason, when there was no progress for too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** There was progress. */
  note(): void {
    this.#quietLooks = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking || this.signal.aborted) return;
    this.#looking = true;
    try {
      const state = (await Promise.all(this.#options.folders.map(stateOf))).join("\n");
      this.#quietLooks = state === this.#state ? this.#quietLooks + 1 : 0;
      this.#state = state;
      if (this.#quietLooks * this.#lookMs < this.#options.limitMs) return;
      this.stop();
      this.#controller.abort(await this.#options.onStall().catch((error: unknown) => error));
    } finally {
      this.#looking = false;
    }
  }
}
