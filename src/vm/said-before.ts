/** What a console has said until a machine is kept, as far as it is not too much to be kept beside it. */
import { MOST_SAID } from "../cli/run/warm/folder.js";

export class SaidBefore {
  readonly #pieces: string[] = [];
  #length = 0;

  take(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length <= MOST_SAID) this.#pieces.push(Buffer.from(bytes).toString("latin1"));
  }

  /** A character a byte; undefined: too much. */
  get text(): string | undefined {
    return this.#length <= MOST_SAID ? this.#pieces.join("") : undefined;
  }
}
