/** The host's time as a machine sees it that can be held: what passes meanwhile is never seen. Knows no clock of a guest. */
export class HeldTime {
  readonly #hostNow: () => number;
  /** What has passed unseen, and when it was held, ns. */
  #lost = 0;
  #heldAt: number | undefined;

  constructor(hostNow: () => number) {
    this.#hostNow = hostNow;
  }

  /** Monotonic, ns. */
  readonly now = (): number => (this.#heldAt ?? this.#hostNow()) - this.#lost;

  /** Time stands still. Harmless where it does already; so is `release` where it does not. */
  hold(): void {
    this.#heldAt ??= this.#hostNow();
  }

  release(): void {
    if (this.#heldAt === undefined) return;
    this.#lost += this.#hostNow() - this.#heldAt;
    this.#heldAt = undefined;
  }
}
