/** The file of a trace: written in the machine's thread, some tens of kilobytes at a time, to a limit. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { PlanPart } from "../../devices/part.js";
import { ChromeTrace } from "../../diagnose/trace/chrome-trace.js";
import type { TraceWords } from "../../diagnose/trace/trace-words.js";
import { hostReason } from "./disk-error.js";

/** A trace as it is asked for. Plain data. */
export interface TraceRequest {
  readonly words: TraceWords;
  readonly file: string;
}

/** Characters that are written at once, and in all. */
const BLOCK = 65_536;
const MOST = 2 ** 30;

/** A trace that goes to a file; `close` ends both. */
export class TraceFile {
  readonly trace: ChromeTrace;
  readonly #file: number;
  readonly #say: (line: string) => void;
  readonly #name: string;
  #waiting = "";
  #written = 0;
  #over = false;

  /** Throws what the file system throws. `say`: a line for people, where nothing more is written. */
  constructor({ words, file }: TraceRequest, parts: readonly PlanPart[], say: (line: string) => void) {
    this.#file = openSync(file, "w");
    this.#name = file;
    this.#say = say;
    this.trace = new ChromeTrace(words, parts, (text) => this.#take(text));
  }

  close(): void {
    this.trace.close();
    this.#flush();
    closeSync(this.#file);
  }

  #take(text: string): void {
    if (this.#over) return;
    this.#waiting += text;
    if (this.#waiting.length >= BLOCK) this.#flush();
  }

  #flush(): void {
    try {
      if (!this.#over) writeSync(this.#file, this.#waiting);
      this.#written += this.#waiting.length;
      if (this.#written >= MOST) this.#end(`it has ${MOST >>> 20} MiB`);
    } catch (error) {
      this.#end(hostReason(error));
    }
    this.#waiting = "";
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#say(`trace ${this.#name}: ${why}; nothing more is written to it`);
  }
}
