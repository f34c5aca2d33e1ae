/** The host's end of a run's control port: lines of /init in, signals out. Knows no session. */
import { StringDecoder } from "node:string_decoder";

/** What /init said. */
export interface GuestWords {
  /** It waits for the command. `alike`: its random numbers would be the same in each run from there. */
  waiting: (alike: boolean) => void;
  /** It has booted, and has its command already. */
  booted: () => void;
  /** The command is about to be started. */
  ready: () => void;
  /** What it cannot do; the machine ends. */
  failed: (why: string) => void;
  /** How the command ended; everything it wrote was written before. */
  ended: (ending: CommandEnding) => void;
}

/** Its own status, or the signal that ended it. */
export type CommandEnding = { status: number } | { signal: number };

/** A guest that says more without ending a line is not ours. */
const LONGEST_LINE = 4096;
const MOST_STATUS = 255;
const MOST_SIGNAL = 127;
const ENDED = /^(status|signal) (\d{1,3})$/;

/** A sink for the port. What is no word of /init is not heard: the guest may be anything. */
export function guestControl(words: GuestWords): (bytes: Uint8Array) => Promise<void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  return (bytes) => {
    const lines = (rest + decoder.write(Buffer.from(bytes))).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) {
      const [, word, number] = ENDED.exec(line) ?? [];
      if (line === "waiting") words.waiting(false);
      else if (line === "waiting alike") words.waiting(true);
      else if (line === "booted") words.booted();
      else if (line === "ready") words.ready();
      else if (line.startsWith("failed ")) words.failed(line.slice("failed ".length));
      else if (word === "status" && Number(number) <= MOST_STATUS) words.ended({ status: Number(number) });
      else if (word === "signal" && Number(number) <= MOST_SIGNAL) words.ended({ signal: Number(number) });
    }
    return Promise.resolve();
  };
}

/** Linux's numbers (signal(7)): this host's may be others. */
const SIGNALS = { HUP: 1, INT: 2, QUIT: 3, USR2: 12, PIPE: 13, TERM: 15 } as const;
/** A signal that can be handed on, without SIG. */
export type SignalName = keyof typeof SIGNALS;

/** What the host says to have the command get a signal. */
export function signalByte(name: SignalName): Uint8Array {
  return Uint8Array.of(SIGNALS[name]);
}
