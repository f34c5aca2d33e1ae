/** Puts steps together (`step-program.ts`) with the texts that they name: whoever writes them names places, which get addresses here. */
import { ARGUMENTS_AT, OWN, STEP_BYTES, VALUE_AT, WORD } from "./step-program.js";
import { CALLS } from "./system-calls.js";

/** A step's place, which may come later. */
export class Label {
  /** Index of its step. */
  index: number | undefined;
}

/** An address that is known in the end. */
export type Place = (layout: Layout) => number;
/** What a word of a step is. */
export type Word = number | bigint | Label | Place;

interface Layout {
  stepAt: (label: Label) => number;
  dataAt: number;
}

/** Where it goes on. Absent: with the next step, also after an error. */
export interface Ways {
  /** The step itself, where others had to be told of it before. */
  as?: Step;
  /** Where the result is stored. */
  store?: Place;
  failed?: Label;
  /** A result, and what follows it. */
  value?: number;
  equal?: Label;
  /** A number is the address of a step that another list has. */
  next?: Label | number;
}

/** A step that other steps may change. */
export class Step {
  constructor(readonly label = new Label()) {}

  /** Its argument of this number, from 0. */
  argument(number: number): Place {
    return ({ stepAt }) => stepAt(this.label) + ARGUMENTS_AT + WORD * number;
  }

  /** The result that counts first. */
  get value(): Place {
    return ({ stepAt }) => stepAt(this.label) + VALUE_AT;
  }
}

const ARGUMENTS = 6;
/** No call has this result. */
const NEVER = 0x7fff_ffff_ffff_ffffn;

type CallName = keyof typeof CALLS | keyof typeof OWN;

function numberOf(name: CallName): number {
  return name in OWN ? OWN[name as keyof typeof OWN] : CALLS[name as keyof typeof CALLS];
}

const utf8 = new TextEncoder();

export class StepList {
  readonly #address: number;
  readonly #steps: Word[][] = [];
  readonly #data: Uint8Array[] = [];
  readonly #patches: { at: number; word: Word }[] = [];
  readonly #texts = new Map<string, Place>();
  #dataLength = 0;

  /** `address`: where they will lie. */
  constructor(address: number) {
    this.#address = address;
  }

  /** The next step is the one of this label. */
  place(label: Label): void {
    label.index = this.#steps.length;
  }

  /** A label of the next step. */
  here(): Label {
    const label = new Label();
    this.place(label);
    return label;
  }

  call(name: CallName, args: readonly Word[] = [], ways: Ways = {}): Step {
    const { as: step = new Step() } = ways;
    this.place(step.label);
    const next = ways.next ?? new Label();
    const filled = Array.from({ length: ARGUMENTS }, (_, at) => args[at] ?? 0);
    const { value = NEVER, equal = next, failed = next, store = 0 } = ways;
    this.#steps.push([numberOf(name), ...filled, store, failed, value, equal, next]);
    if (next instanceof Label && ways.next === undefined) this.place(next);
    return step;
  }

  /** Nothing is done. */
  go(next: Label | number): void {
    this.call("load", [this.words([0]), 0], { next });
  }

  /** `place` gets a number or an address. */
  set(place: Place, word: Word): void {
    this.call("load", [this.words([word]), -1], { store: place });
  }

  /** The text with a 0 behind it. */
  text(text: string): Place {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const place = this.bytes(utf8.encode(`${text}\0`));
    this.#texts.set(text, place);
    return place;
  }

  bytes(bytes: Uint8Array): Place {
    const at = this.#dataLength;
    const padded = new Uint8Array(Math.ceil(bytes.length / WORD) * WORD);
    padded.set(bytes);
    this.#data.push(padded);
    this.#dataLength += padded.length;
    return ({ dataAt }) => dataAt + at;
  }

  words(words: readonly Word[]): Place {
    const at = this.#dataLength;
    words.forEach((word, index) => this.#patches.push({ at: at + WORD * index, word }));
    return this.bytes(new Uint8Array(WORD * words.length));
  }

  /** Texts as a program gets them, the environment `more` words longer. */
  texts(texts: readonly string[], more = 0): Place {
    return this.words([
      ...texts.map((text) => this.text(text)),
      ...Array.from({ length: 1 + more }, () => 0),
    ]);
  }

  /** Writes all of it to a descriptor, as far as that takes it at once. */
  write(descriptor: number, text: string): void {
    const bytes = utf8.encode(text);
    this.call("write", [descriptor, this.bytes(bytes), bytes.length]);
  }

  /** All of it. */
  finish(): Uint8Array {
    const dataAt = this.#address + STEP_BYTES * this.#steps.length;
    const stepAt = (label: Label): number => {
      if (label.index === undefined) throw new Error("steps: a label has no place");
      return this.#address + STEP_BYTES * label.index;
    };
    const bytes = new Uint8Array(dataAt - this.#address + this.#dataLength);
    const view = new DataView(bytes.buffer);
    const put = (at: number, word: Word): void => {
      const value =
        word instanceof Label ? stepAt(word) : typeof word === "function" ? word({ stepAt, dataAt }) : word;
      view.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true);
    };
    this.#steps.flat().forEach((word, index) => put(WORD * index, word));
    const data = dataAt - this.#address;
    let at = data;
    for (const piece of this.#data) {
      bytes.set(piece, at);
      at += piece.length;
    }
    for (const patch of this.#patches) put(data + patch.at, patch.word);
    return bytes;
  }
}
