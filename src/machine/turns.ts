/**
 * Whose turn it is: CPUs that have something to do share time evenly. One that was interrupted comes next, whoever's turn
 * it would be, unless it is far ahead of the others; one that only waits (PAUSE) goes behind all of them. CPUs that sleep
 * stand in no list here. Knows no clock: what a turn costs is told, in any unit.
 *
 * ```
 *  used │ A ▓▓▓▓▓▓▓▓│        the turn of A ends a share ahead of whoever has used least;
 *       │ B ▓▓▓▓│            then comes B. C, woken, begins where the least of the others is
 *       │ C ░░░░│
 * ```
 */
import type { CpuSlot } from "./cpu-slot.js";
import type { TurnsState } from "./state.js";

/** So many shares ahead of the others an interrupted CPU waits as they do: two that wake each other leave the rest their time. */
const MOST_AHEAD = 2;
/** Part of a share that an interrupted CPU gets at least, to answer. */
const TO_ANSWER = 1 / 4;

export class Turns {
  readonly #share: number;
  /** All that have something to do. */
  readonly #ready: CpuSlot[] = [];
  /** Those of them that were interrupted since their last turn, in this order. */
  readonly #interrupted: CpuSlot[] = [];
  /** Those that have just got something to do. */
  readonly #arrived: CpuSlot[] = [];
  /** Those that have just got nothing more to do. */
  readonly #gone: CpuSlot[] = [];
  #current: CpuSlot | undefined;
  /** What the current one will have used when its turn is over. */
  #turnEnd = 0;
  #waits = false;
  /** Somebody was interrupted since the turn began: it ends here. */
  #preempted = false;
  /** The least that anybody had used; never decreases. */
  #floor = 0;

  /** `share`: how far one CPU gets ahead of another, in the unit of `charge`. */
  constructor(share: number) {
    this.#share = share;
  }

  /** Everything but what each CPU has used. */
  save(): TurnsState {
    const ids = (slots: readonly CpuSlot[]): number[] => slots.map(({ id }) => id);
    return {
      ready: ids(this.#ready),
      interrupted: ids(this.#interrupted),
      arrived: ids(this.#arrived),
      gone: ids(this.#gone),
      current: this.#current?.id ?? -1,
      ...(Number.isFinite(this.#turnEnd) && { turnEnd: this.#turnEnd }),
      waits: this.#waits,
      preempted: this.#preempted,
      floor: this.#floor,
    };
  }

  /** Goes on as `save` left it; `slots` by number. */
  restore(state: TurnsState, slots: readonly CpuSlot[]): void {
    const fill = (list: CpuSlot[], ids: readonly number[]): void => {
      list.splice(0, list.length, ...ids.map((id) => slots[id]));
    };
    fill(this.#ready, state.ready);
    fill(this.#interrupted, state.interrupted);
    fill(this.#arrived, state.arrived);
    fill(this.#gone, state.gone);
    this.#current = state.current < 0 ? undefined : slots[state.current];
    this.#turnEnd = state.turnEnd ?? Infinity;
    this.#waits = state.waits;
    this.#preempted = state.preempted;
    this.#floor = state.floor;
  }

  /** CPUs that have something to do. */
  get ready(): number {
    return this.#ready.length;
  }

  /** What is left of the turn; `Infinity` for a CPU that is alone. */
  get left(): number {
    return this.#current === undefined ? 0 : this.#turnEnd - this.#current.used;
  }

  get #goesOn(): boolean {
    const current = this.#current;
    return current !== undefined && !this.#waits && current.used < this.#turnEnd;
  }

  /** A CPU has something to do. Harmless for one that had before. */
  arrive(slot: CpuSlot): void {
    if (this.#ready.includes(slot)) return;
    this.#ready.push(slot);
    this.#arrived.push(slot);
  }

  /** A CPU has nothing to do any more. */
  depart(slot: CpuSlot): void {
    if (this.#ready.includes(slot)) this.#gone.push(slot);
    for (const list of [this.#ready, this.#interrupted, this.#arrived]) {
      const at = list.indexOf(slot);
      if (at >= 0) list.splice(at, 1);
    }
    if (this.#current === slot) this.#current = undefined;
  }

  /** A CPU that has something to do was interrupted. */
  interrupt(slot: CpuSlot): void {
    if (slot === this.#current) return;
    this.#preempted = true;
    if (!this.#interrupted.includes(slot)) this.#interrupted.push(slot);
  }

  /** The current CPU has run. */
  charge(slot: CpuSlot, cost: number): void {
    slot.used += cost;
  }

  /** The current CPU only waits for another one: all others go first. */
  wait(): void {
    const slot = this.#current;
    if (slot === undefined || this.#ready.length === 1) return;
    for (const other of this.#ready) slot.used = Math.max(slot.used, other.used);
    this.#waits = true;
  }

  /** Who runs now. `fresh`: this is the beginning of a turn. `undefined` where nobody has anything to do. */
  next(): { slot: CpuSlot; fresh: boolean } | undefined {
    this.#settle();
    const urgent = this.#goesOn && !this.#preempted ? undefined : this.#nextInterrupted();
    this.#preempted = false;
    if (urgent !== undefined) return this.#begin(urgent);
    const current = this.#current;
    if (current !== undefined && this.#goesOn) return { slot: current, fresh: false };
    const least = this.#least((slot) => !this.#waits || slot !== current) ?? current;
    return least === undefined ? undefined : this.#begin(least);
  }

  /**
   * Those that were away begin with the least that anybody has used: sleeping saves nothing up. The least is taken only where
   * something has changed, so that it does not depend on how slices are cut.
   */
  #settle(): void {
    const [arrived, gone] = [this.#arrived.splice(0), this.#gone.splice(0)];
    if (arrived.length + gone.length === 0 && !this.#preempted && this.#goesOn) return;
    const least = this.#least((slot) => !arrived.includes(slot));
    const used = [...gone, ...(least === undefined ? [] : [least])].map((slot) => slot.used);
    if (used.length > 0) this.#floor = Math.max(this.#floor, Math.min(...used));
    for (const slot of arrived) slot.used = Math.max(slot.used, this.#floor);
    if (arrived.length > 0 && this.#current !== undefined)
      this.#turnEnd = Math.min(this.#turnEnd, this.#current.used + this.#share);
  }

  /** Who has used least of those that `counts`, and waits longest. */
  #least(counts: (slot: CpuSlot) => boolean): CpuSlot | undefined {
    let least: CpuSlot | undefined;
    for (const slot of this.#ready) {
      if (counts(slot) && (least === undefined || slot.used < least.used)) least = slot;
    }
    return least;
  }

  #nextInterrupted(): CpuSlot | undefined {
    for (let slot = this.#interrupted.shift(); slot !== undefined; slot = this.#interrupted.shift()) {
      if (slot.used <= this.#floor + MOST_AHEAD * this.#share) return slot;
    }
    return undefined;
  }

  #begin(slot: CpuSlot): { slot: CpuSlot; fresh: boolean } {
    const other = this.#least((one) => one !== slot);
    this.#ready.push(...this.#ready.splice(this.#ready.indexOf(slot), 1));
    this.#current = slot;
    this.#waits = false;
    const answered = slot.used + Math.ceil(this.#share * TO_ANSWER);
    if (other === undefined) this.#turnEnd = Infinity;
    else if (this.#interrupted.length > 0) this.#turnEnd = answered;
    else this.#turnEnd = Math.max(other.used + this.#share, answered);
    return { slot, fresh: true };
  }
}
