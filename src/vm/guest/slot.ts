/** One of the places in the guest where a command runs: its ports, and who uses it now. Knows no command. */
import { InputQueue } from "../input-queue.js";
import { slotPorts, type SlotPorts } from "../../guests/index.js";

/** Bytes of a piece of standard input: the guest keeps one at a time. */
const PIECE_BYTES = 1 << 19;

const utf8 = new TextEncoder();

/** Who has a command in a slot. */
export interface SlotUser {
  /** Takes what it wrote; resolves when there is room for more. */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** It has ended, and all that it wrote was taken. */
  ended(status: number): void;
  /** The machine has ended. */
  failed(error: Error): void;
}

/** The standard input of one command. */
export class SlotInput {
  readonly #queue: InputQueue;
  #closed: boolean;

  constructor(queue: InputQueue, closed: boolean) {
    this.#queue = queue;
    this.#closed = closed;
  }

  /** Resolves once it was taken, or nobody wants it any more. Rejects once the machine has ended. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#closed; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      await this.#queue.send(headed(`${piece.length}\n`, piece));
    }
  }

  /** It has come to its end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    unwatched(this.#queue.send(utf8.encode("0\n")));
  }
}

/** In one: a machine that is saved has both or neither. */
function headed(head: string, bytes: Uint8Array): Uint8Array {
  const first = utf8.encode(head);
  const all = new Uint8Array(first.length + bytes.length);
  all.set(first);
  all.set(bytes, first.length);
  return all;
}

/** Who cares whether it arrives hears it from others. */
function unwatched(sent: Promise<void>): void {
  sent.catch(() => undefined);
}

/** What is known of a slot: of a machine that goes on nothing, until its init has said it. */
type SlotState = "unknown" | "free" | "taken";

export class Slot {
  readonly ports: SlotPorts;
  readonly #input: InputQueue;
  #user: SlotUser | undefined;
  #hasBegun = false;
  #isEnding = false;
  #mode: "stream" | "terminal" = "stream";
  #job: number;
  #state: SlotState = "unknown";
  #stdin: SlotInput;

  /** `lastJob`: jobs of before had no higher number. */
  constructor(
    readonly index: number,
    give: (port: string, bytes: Uint8Array) => number,
    lastJob: number,
  ) {
    this.#job = lastJob;
    this.ports = slotPorts(index);
    this.#input = new InputQueue((bytes) => give(this.ports.input, bytes));
    // Of a machine that goes on, a command of before may still read: it finds the end.
    this.#stdin = new SlotInput(this.#input, false);
  }

  /** The number of the job that was begun last. */
  get job(): number {
    return this.#job;
  }

  /** Whether the command runs on the terminal. */
  get isOnTerminal(): boolean {
    return this.#mode === "terminal";
  }

  /** The guest may not know yet that the command is to run. */
  get isYoung(): boolean {
    return this.#user !== undefined && !this.#hasBegun;
  }

  get isFree(): boolean {
    return this.#state === "free" && this.#user === undefined;
  }

  /** Nobody else gets it. */
  reserve(): void {
    this.#state = "taken";
  }

  /** There may be room for input. */
  room(): void {
    this.#input.room();
  }

  take(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    return this.#user?.output(stream, bytes) ?? Promise.resolve();
  }

  /** Begins a command, and gives its standard input; `mode` as in `exec-init.ts`. */
  begin(job: Uint8Array, mode: "stream" | "terminal", user: SlotUser): SlotInput {
    this.#user = user;
    this.#hasBegun = this.#isEnding = false;
    this.#mode = mode;
    this.#stdin = new SlotInput(this.#input, mode === "terminal");
    this.#job++;
    unwatched(this.#input.send(headed(`job ${this.#job} ${job.length} ${mode}\n`, job)));
    return this.#stdin;
  }

  /**
   * The guest says that the command ends: its output is still to be taken. False where that is no news, since a guest may say it as
   * often as it likes.
   */
  ending(): boolean {
    this.#stdin.close();
    this.#hasBegun = true;
    const isNews = this.#user !== undefined && !this.#isEnding;
    this.#isEnding = true;
    return isNews;
  }

  /** All that it wrote was taken. */
  ended(status: number): void {
    const user = this.#user;
    this.#user = undefined;
    user?.ended(status);
  }

  /** The guest says whether another command may come. */
  said(state: "free" | "busy"): void {
    if (state === "busy") this.#hasBegun = true;
    // It was asked before it had begun the command.
    else if (this.isYoung) return;
    this.#state = state === "free" ? "free" : "taken";
    // A command of before a snapshot may still read, and nobody here gives it anything.
    if (state === "busy" && this.#user === undefined) this.#stdin.close();
  }

  finish(error: Error): void {
    this.#input.finish(error);
    this.#user?.failed(error);
    this.#user = undefined;
  }
}
