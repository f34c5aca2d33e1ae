/**
 * When a guest that waits for its command is given it: at once, or once its machine was copied for the runs to come. The guest may be
 * anything, and say that it waits as often as it likes. Knows no session.
 */
import type { MachineCopy } from "../../snapshot/write.js";

/** Who keeps the machine of a run. */
export interface Keeper {
  /** Bytes of its memory that may be kept, more than 0. */
  most: number;
  /** Gets the machine once it waits for the command. */
  take: (copy: MachineCopy) => Promise<void>;
}

export interface HandOverParts {
  /** Absent: the machine is not copied. */
  keeper?: Keeper | undefined;
  /** Asks for a copy. */
  save: () => void;
  /** Gives the guest its command. */
  give: () => void;
}

/** How long a machine may be in no state to be copied, ms: then its command goes first. */
const COPY_PATIENCE_MS = 5000;

export class HandOver {
  readonly #parts: HandOverParts;
  #asked = false;
  #given = false;
  #patience: NodeJS.Timeout | undefined;
  #keeping: Promise<void> | undefined;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  /** Whether the guest has its command, or is not to have it any more. */
  get given(): boolean {
    return this.#given;
  }

  /** The guest waits. `alike`: a copy of it would have the same random numbers each time. */
  waiting(alike: boolean): void {
    if (this.#asked || this.#given) return;
    if (this.#parts.keeper === undefined || alike) return this.now();
    this.#asked = true;
    this.#patience = setTimeout(() => this.now(), COPY_PATIENCE_MS);
    this.#parts.save();
  }

  /** The copy is made now, which ends by itself. */
  copying(): void {
    clearTimeout(this.#patience);
  }

  /** Here it is; false where it is of no use: the machine may have its command already. */
  copied(copy: MachineCopy): boolean {
    if (this.#given) return false;
    this.now();
    this.#keeping = this.#parts.keeper?.take(copy);
    return true;
  }

  /** The guest gets its command, if it has not. */
  now(): void {
    if (this.#given) return;
    this.#given = true;
    clearTimeout(this.#patience);
    this.#parts.give();
  }

  /** Resolves once the machine is kept, or nobody waits for that any more. Throws what keeping it throws. */
  async kept(signal?: AbortSignal): Promise<void> {
    if (this.#keeping === undefined || signal?.aborted === true) return;
    const aborted = new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
    await Promise.race([this.#keeping, aborted]);
  }

  /** Nothing is given any more. */
  close(): void {
    this.#given = true;
    clearTimeout(this.#patience);
  }
}
