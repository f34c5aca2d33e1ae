/** `locore doctor --clocks`: runs the guest that reads all clocks, and asks it again and again while a while passes. */
import { ANSWER_BYTES, clockGuest, readAnswer } from "../../diagnose/clocks/clock-guest.js";
import { lintClocks, type ClockLint, type ClockSample } from "../../diagnose/clocks/clock-lint.js";
import { APIC_HZ, TSC_HZ } from "../../boot/defaults.js";
import { PM_TIMER_PORT } from "../../devices/power/parts.js";
import { Session } from "../../host/node/session.js";
import { machineEnd } from "../../machine/end.js";

const MS = 1000;
/** From an answer to the next question, ms. */
const PAUSE_MS = 10;
const TAGS = 256;
const MEBIBYTE = 2 ** 20;
const MEMORY = 16 * MEBIBYTE;
const MEASURED = machineEnd("off", "all was measured");

export interface ClockMeasuring {
  /** How long, s. */
  readonly seconds: number;
  /** Ends it early: rejects with its reason. */
  readonly signal: AbortSignal;
  /** Told from time to time which part of it is done, 0 to 1. */
  readonly progress: (fraction: number) => void;
}

/** The questions of one measurement, and their answers. */
class Questions {
  readonly samples: ClockSample[] = [];
  #bytes: number[] = [];
  #asked = 0;
  #tag = 0;
  #resume: () => void = () => undefined;

  /** Bytes of the guest's. */
  take(bytes: Uint8Array): void {
    const now = performance.now();
    this.#bytes.push(...bytes);
    if (this.#bytes.length < ANSWER_BYTES) return;
    const readings = readAnswer(Uint8Array.from(this.#bytes.splice(0, ANSWER_BYTES)));
    if (readings.tag !== this.#tag) throw new Error(`answer ${readings.tag}, expected ${this.#tag}`);
    this.samples.push({ at: (this.#asked + now) / 2, slack: (now - this.#asked) / 2, readings });
    this.#resume();
  }

  /** Asks by `send`; resolves with the answer. */
  async ask(send: (bytes: Uint8Array) => void): Promise<void> {
    const answered = new Promise<void>((resolve) => (this.#resume = resolve));
    this.#tag = (this.#tag + 1) % TAGS;
    this.#asked = performance.now();
    send(Uint8Array.of(this.#tag));
    await answered;
  }
}

/** Measures on `engine`. Rejects with what a session rejects with, and where a machine ends by itself. */
export async function measureClocks(
  engine: string,
  { seconds, signal, progress }: ClockMeasuring,
): Promise<ClockLint> {
  const questions = new Questions();
  let begun: () => void = () => undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  const session = new Session({
    engine,
    output: (bytes) => {
      questions.take(bytes);
      return Promise.resolve();
    },
    onStart: () => begun(),
  });
  const kernel = { name: "clock guest", bytes: clockGuest(PM_TIMER_PORT) };
  const epochMs = Date.now() - performance.now();
  const rtcStart = Math.floor(Date.now() / MS);
  const run = session.run({
    source: { boot: { kernel, memory: MEMORY, clock: { rtcStart } } },
    maxResets: 0,
  });
  const ended = run.then(({ end }) => {
    if (end !== MEASURED) throw new Error(`the machine ended by itself: ${end.route}`);
  });
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  const measuring = (async () => {
    await started;
    const since = performance.now();
    for (;;) {
      await questions.ask((bytes) => session.giveInput(bytes));
      const passed = performance.now() - since;
      progress(Math.min(1, passed / MS / seconds));
      if (passed >= seconds * MS) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();
  try {
    signal.throwIfAborted();
    await Promise.race([measuring, ended, aborted]);
    session.stop(MEASURED);
    await ended;
    return lintClocks(questions.samples, { tscHz: TSC_HZ, apicHz: APIC_HZ }, epochMs);
  } finally {
    await session.dispose();
  }
}
