/**
 * The host's end of a guest whose init serves commands (`exec-init.ts`): its control port, its slots, and whoever waits for one. What is
 * no word of that init is not heard: the guest may be anything.
 */
import { TERMINAL_CHANNEL } from "../../cli/run/guest.js";
import { EXEC_CONTROL, EXEC_SLOTS } from "../../guests/index.js";
import type { SessionChannel } from "../../host/node/session.js";
import { InputQueue } from "../input-queue.js";
import { afterPatience } from "../patience.js";
import { Question } from "../question.js";
import { LineSplitter } from "../text-lines.js";
import { Slot } from "./slot.js";

/** Bytes of a slot's input that may wait: a piece of a standard input, and whatever Linux takes as a command. */
const INPUT_CAPACITY = 1 << 20;
/** How long a guest may take to begin what it is told, before its machine is saved nevertheless, ms. */
const BEGIN_PATIENCE_MS = 5000;

/** The machine, as much as is needed of it. */
export interface CommandWire {
  /** Gives bytes to a named port, all of them or none; says how many were taken. Of more than the port may have, as many as there is room for. */
  give(port: string, bytes: Uint8Array): number;
  /** Resolves once all that the guest has written to the port was taken. */
  drained(port: string): Promise<void>;
  /** Init waits for its steps (`run-init.ts`). `alike`: its random numbers would be the same in each copy. */
  waiting(alike: boolean): void;
}

/** What init says first. */
export type Readiness = { readonly failed?: string };

const WORD = /^(status|free|busy) (\d) ?(\d{1,3})?$/;

interface Waiting {
  resolve: (slot: Slot) => void;
  reject: (reason: unknown) => void;
}

const utf8 = new TextEncoder();

export class GuestCommands {
  readonly #wire: CommandWire;
  readonly #control: InputQueue;
  readonly #lines = new LineSplitter();
  readonly #slots: readonly Slot[];
  readonly #waiting: Waiting[] = [];
  #over: Error | undefined;
  /** Of a machine that goes on: what was begun before may still run. */
  #runsOld = false;
  /** The machine is about to be saved: nothing is begun. */
  #isHeld = false;
  readonly #answered = new Question<undefined>();
  #ready!: (said: Readiness) => void;
  /** Once init says that commands may come, or why they cannot. */
  readonly ready = new Promise<Readiness>((resolve) => (this.#ready = resolve));

  /** `lastJob`: in a machine that goes on, no command of before had a higher number. */
  constructor(wire: CommandWire, lastJob = 0) {
    this.#wire = wire;
    this.#control = new InputQueue((bytes) => wire.give(EXEC_CONTROL, bytes));
    this.#slots = Array.from(
      { length: EXEC_SLOTS },
      (_, index) => new Slot(index, (port, bytes) => wire.give(port, bytes), lastJob),
    );
  }

  /** Whether something may run that this host did not begin. */
  get runsOld(): boolean {
    return this.#runsOld;
  }

  /** The host's ends of the ports. */
  channels(): [string, SessionChannel][] {
    const nothing = (): Promise<void> => Promise.resolve();
    const control: SessionChannel = {
      output: (bytes) => {
        for (const line of this.#lines.take(bytes)) this.#hear(line);
        return Promise.resolve();
      },
      onRoom: () => this.#control.room(),
    };
    return [
      [EXEC_CONTROL, control],
      ...this.#slots.flatMap((slot): [string, SessionChannel][] => [
        [slot.ports.input, { output: nothing, onRoom: () => slot.room(), capacity: INPUT_CAPACITY }],
        [slot.ports.output, { output: (bytes) => slot.take("stdout", bytes) }],
        [slot.ports.errors, { output: (bytes) => slot.take("stderr", bytes) }],
      ]),
    ];
  }

  /** What init waits for. */
  handOver(steps: Uint8Array): void {
    this.#control.send(steps).catch(() => undefined);
  }

  /** Asks what runs in a machine that goes on: `ready` follows. What was half said before is ended first. */
  ask(): void {
    this.#runsOld = true;
    this.#say("\nslots\n");
  }

  /**
   * Before the machine is saved: resolves once the guest has begun all that it was told to run, or takes too long. A copy that was half
   * told would take its own commands for the rest. Nothing is begun until what this gives is called. `stands`: the guest says nothing now.
   */
  async settled(stands: boolean): Promise<() => void> {
    this.#isHeld = true;
    const isYoung = (): boolean =>
      !stands && this.#over === undefined && this.#slots.some((slot) => slot.isYoung);
    let isLate = false;
    const forget = afterPatience(BEGIN_PATIENCE_MS, () => {
      isLate = true;
      this.#answered.answer(undefined);
    });
    while (isYoung() && !isLate) {
      const answer = this.#answered.next();
      this.#say("slots\n");
      await answer.catch(() => undefined);
    }
    forget();
    return () => {
      this.#isHeld = false;
      this.#serve();
    };
  }

  /** A free slot, as soon as there is one. Rejects once the machine has ended, and with the signal's reason. */
  async slot(signal?: AbortSignal): Promise<Slot> {
    if (this.#over !== undefined) throw this.#over;
    let mine: Waiting | undefined;
    let aborted: (() => void) | undefined;
    try {
      return await new Promise<Slot>((resolve, reject) => {
        mine = { resolve, reject };
        aborted = () => reject(signal?.reason);
        signal?.addEventListener("abort", aborted);
        this.#waiting.push(mine);
        this.#serve();
      });
    } finally {
      if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
      const at = this.#waiting.indexOf(mine!);
      if (at >= 0) this.#waiting.splice(at, 1);
    }
  }

  /** A slot that nothing was begun in. */
  release(slot: Slot): void {
    slot.said("free");
    this.#serve();
  }

  /** Sends a signal, by its name without SIG, to the command in a slot; KILL to all of its session. */
  signal(slot: Slot, name: string): void {
    this.#say(`signal ${slot.index} ${slot.job} ${name}\n`);
  }

  finish(error: Error): void {
    this.#over = error;
    this.#control.finish(error);
    this.#answered.finish(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    for (const slot of this.#slots) slot.finish(error);
  }

  #say(words: string): void {
    this.#control.send(utf8.encode(words)).catch(() => undefined);
  }

  #hear(line: string): void {
    if (line === "waiting" || line === "waiting alike") this.#wire.waiting(line !== "waiting");
    if (line.startsWith("failed ")) this.#ready({ failed: line.slice("failed ".length) });
    if (line === "ready") {
      this.#ready({});
      this.#answered.answer(undefined);
    }
    const [, word, index, status] = WORD.exec(line) ?? [];
    const slot = this.#slots.at(Number(index ?? EXEC_SLOTS));
    if (slot === undefined) return;
    if (word === "status") {
      if (slot.ending()) void this.#ended(slot, Number(status ?? 0));
    } else if (word === "free" || word === "busy") {
      slot.said(word);
      this.#serve();
    }
  }

  /** Its words may come through the control port before its output has come through the others. */
  async #ended(slot: Slot, status: number): Promise<void> {
    const { output, errors } = slot.ports;
    const ports = slot.isOnTerminal ? [TERMINAL_CHANNEL] : [output, errors];
    await Promise.all(ports.map((port) => this.#wire.drained(port)));
    slot.ended(status);
    this.#serve();
  }

  #serve(): void {
    for (const slot of this.#slots) {
      if (!slot.isFree || this.#isHeld) continue;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      slot.reserve();
      next.resolve(slot);
    }
  }
}
