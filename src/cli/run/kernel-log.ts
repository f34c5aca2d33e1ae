/** The kernel's messages of a run: all of them in a file, the last lines kept. Never mixed with what the command writes. */
import { StringDecoder } from "node:string_decoder";
import { RUN_FAILED } from "../../guests/light.js";
import type { ConsoleLog } from "../../host/node/console-out.js";

/** Lines that are kept: an oops with its stack has some sixty. */
const KEPT_LINES = 120;
const LONGEST_LINE = 2048;

export class KernelLog {
  readonly #file: ConsoleLog | undefined;
  readonly #decoder = new StringDecoder("utf8");
  readonly #lines: string[] = [];
  #rest = "";

  constructor(file: ConsoleLog | undefined) {
    this.#file = file;
  }

  /** Takes the next bytes of the serial console. */
  take(bytes: Uint8Array): void {
    this.#file?.write(bytes);
    const pieces = (this.#rest + this.#decoder.write(bytes)).split("\n");
    this.#rest = (pieces.pop() ?? "").slice(-LONGEST_LINE);
    for (const piece of pieces) this.#lines.push(piece.replace(/\r+$/, "").slice(0, LONGEST_LINE));
    this.#lines.splice(0, Math.max(0, this.#lines.length - KEPT_LINES));
  }

  /** The last lines, the unfinished one too. */
  get lines(): readonly string[] {
    return this.#rest === "" ? this.#lines : [...this.#lines, this.#rest.replace(/\r+$/, "")];
  }

  /** What /init says there that it cannot do. */
  get failed(): string | undefined {
    for (const line of this.lines) {
      const at = line.indexOf(RUN_FAILED);
      if (at >= 0) return line.slice(at + RUN_FAILED.length);
    }
    return undefined;
  }
}
