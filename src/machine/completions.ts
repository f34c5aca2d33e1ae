/**
 * What back ends have finished, in one queue: they answer at once or later, the run loop takes the answers over between slices.
 * A request in flight is a wake source. Knows no device and no host.
 *
 * ```
 *  device ── begin ──▶ Request ──▶ back end ── complete(deliver) ──▶ queue ── drain, by the run loop ──▶ deliver()
 *                                  (any thread: it rings, `attach` looks)
 * ```
 *
 * In deterministic mode each answer has a stamp: where in the run it was delivered. A run that is given the stamps of another
 * one delivers at exactly these places, and waits there for a back end that is slower than it was then.
 */
import type { BackEnds, Hold, Request } from "../devices/device.js";
import type { WakeSources } from "./wake.js";

/** Where an answer was delivered, and which: the `ordinal`th request, from 0, of a source. */
export interface Stamp {
  /** Instructions that all CPUs had executed. */
  instructions: number;
  /** The machine's clock, ns: tells apart places between which every CPU slept. */
  at: number;
  source: string;
  ordinal: number;
}

/** What a machine's host may ask of its completions. */
export interface CompletionOptions {
  /** Told each stamp of a deterministic run. */
  record?: (stamp: Stamp) => void;
  /** Stamps of an earlier run, in their order. Behind the last one, answers are delivered as they come. */
  replay?: readonly Stamp[];
  /** Called when an answer was put into the queue: ends the host's waiting for an idle machine. */
  arrived?: () => void;
}

interface Answer {
  source: string;
  ordinal: number;
  deliver: () => void;
}

export class Completions implements BackEnds {
  readonly #wake: WakeSources;
  readonly #options: CompletionOptions;
  readonly #replay: Stamp[];
  readonly #queue: Answer[] = [];
  readonly #polls: (() => void)[] = [];
  readonly #ordinals: Map<string, number>;
  /** What keeps the machine alive for each request without an answer. */
  readonly #inFlight = new Set<Hold>();
  #onArrival: () => void = () => undefined;

  /** `ordinals`: what `ordinals` of a saved machine gave. */
  constructor(
    wake: WakeSources,
    options: CompletionOptions = {},
    ordinals: readonly (readonly [string, number])[] = [],
  ) {
    this.#wake = wake;
    this.#options = options;
    this.#ordinals = new Map(ordinals);
    this.#replay = [...(options.replay ?? [])];
  }

  /** Requests that have no answer yet, or one that was not delivered. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Answers that wait to be delivered. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Requests so far, by source. */
  get ordinals(): [string, number][] {
    return [...this.#ordinals];
  }

  /** Where the next answer of a replayed run belongs. */
  get nextStamp(): Stamp | undefined {
    return this.#replay.at(0);
  }

  /** A request that will be answered. Its source's name is for people, and for stamps. */
  begin(source: string): Request {
    const ordinal = this.#ordinals.get(source) ?? 0;
    this.#ordinals.set(source, ordinal + 1);
    const hold: Hold = this.#wake.hold(source);
    this.#inFlight.add(hold);
    let answered = false;
    const complete = (deliver: () => void): void => {
      if (answered) throw new Error(`${source} ${ordinal}: answered twice`);
      answered = true;
      // Of a life before the last reset.
      if (!this.#inFlight.has(hold)) return;
      const done = (): void => {
        hold.release();
        this.#inFlight.delete(hold);
        deliver();
      };
      this.#put({ source, ordinal, deliver: done });
    };
    return { source, ordinal, complete };
  }

  /** Something came that nobody asked for, a packet for instance. */
  announce(source: string, deliver: () => void): void {
    const ordinal = this.#ordinals.get(source) ?? 0;
    this.#ordinals.set(source, ordinal + 1);
    this.#put({ source, ordinal, deliver });
  }

  /** `arrived` is called when an answer was put into the queue, also in the middle of a run. */
  listen(arrived: () => void): void {
    this.#onArrival = arrived;
  }

  /** `poll` is called before each delivery: a back end on another thread looks there at what that one has finished. */
  attach(poll: () => void): void {
    this.#polls.push(poll);
  }

  /** The machine was reset: nobody waits for these answers, which are dropped when they come. */
  clear(): void {
    this.#queue.length = 0;
    this.#polls.length = 0;
    for (const hold of this.#inFlight) hold.release();
    this.#inFlight.clear();
  }

  /**
   * Delivers what is finished. `instructions` and `at` are where the run is. Answers `false` where a replayed run has to wait for
   * an answer that belongs here.
   */
  drain(instructions: number, at: number): boolean {
    for (const poll of this.#polls) poll();
    for (;;) {
      const stamp = this.nextStamp;
      if (stamp !== undefined && (instructions < stamp.instructions || at < stamp.at)) return true;
      const answer = this.#take(stamp);
      if (answer === undefined) return stamp === undefined;
      if (stamp !== undefined) this.#replay.shift();
      this.#options.record?.({ instructions, at, source: answer.source, ordinal: answer.ordinal });
      answer.deliver();
    }
  }

  #put(answer: Answer): void {
    this.#queue.push(answer);
    this.#onArrival();
    this.#options.arrived?.();
  }

  #take(stamp: Stamp | undefined): Answer | undefined {
    if (stamp === undefined) return this.#queue.shift();
    const { source, ordinal } = stamp;
    const at = this.#queue.findIndex((answer) => answer.source === source && answer.ordinal === ordinal);
    return at < 0 ? undefined : this.#queue.splice(at, 1)[0];
  }
}
