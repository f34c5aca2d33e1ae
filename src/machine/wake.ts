/**
 * What may wake a machine later, counted: a machine in which every CPU sleeps lives on as long as there is something. Some
 * sources stand and are asked (timers, console input); others are held for as long as they last (a request in flight, a
 * connected socket). Knows no device and no host.
 *
 * ```ts
 * const hold = wake.hold("disk read");
 * …
 * hold.release();
 * ```
 */

import type { Hold, Waking } from "../devices/device.js";

/** A source that is there all the time and can be asked. */
export interface StandingSource {
  /** Whether it may still wake the machine. */
  possible(): boolean;
  /** What is said where it cannot: "no timer is armed". */
  missing: string;
}

export class WakeSources implements Waking {
  readonly #standing: StandingSource[] = [];
  /** By name; a name that was held once stays, with 0. */
  readonly #held = new Map<string, number>();
  /** Counts lives of the machine: what an earlier one held is nobody's. */
  #life = 0;

  /** Adds a source that is asked. */
  stand(source: StandingSource): void {
    this.#standing.push(source);
  }

  /** Counts something that may wake the machine until it is released. `name` is for people: "disk read". */
  hold(name: string): Hold {
    this.#held.set(name, this.held(name) + 1);
    const life = this.#life;
    let holds = true;
    return {
      release: () => {
        if (holds && life === this.#life) this.#held.set(name, this.held(name) - 1);
        holds = false;
      },
    };
  }

  /** The machine was reset: what its parts held is released. */
  clear(): void {
    this.#life++;
    for (const name of this.#held.keys()) this.#held.set(name, 0);
  }

  /** How many of a name are held. */
  held(name: string): number {
    return this.#held.get(name) ?? 0;
  }

  /** Whether anything may still wake the machine. */
  get any(): boolean {
    for (const count of this.#held.values()) if (count > 0) return true;
    return this.#standing.some((source) => source.possible());
  }

  /** What is missing, for people: "no timer is armed, no input can come, no disk read is pending". */
  missing(): string {
    const held = [...this.#held].filter(([, count]) => count === 0).map(([name]) => `no ${name} is pending`);
    const standing = this.#standing.filter((source) => !source.possible()).map(({ missing }) => missing);
    return [...standing, ...held].join(", ");
  }
}
