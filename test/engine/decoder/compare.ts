/**
 * Compares our decoder with the reference, string by string, and sorts what differs: explained differences by their
 * reason, all others as failures.
 */
import { Random } from "../../support/random.js";
import { DIFFERENCES, type What } from "./differences.js";
import { Strings } from "./byte-strings.js";
import { sameMnemonic } from "./mnemonics.js";
import { OwnDecoder, PAGE_OFFSET, type Bits } from "./own.js";
import { ReferenceDecoder, STRIDE } from "./reference.js";
import { INVALID, type DecodedView } from "./view.js";

export interface Case {
  bits: Bits;
  bytes: Uint8Array;
  own: DecodedView;
  reference: DecodedView;
  /** The reference's name of the encoding. */
  code: string;
  /** Mnemonic of our form, also where the instruction is undefined. */
  form: string;
}

export interface Outcome {
  compared: number;
  /** Strings both call undefined. */
  undefinedBoth: number;
  /** Number of differences by reason. */
  explained: Map<string, number>;
  /** Texts of the first failures by encoding. */
  failures: Map<string, string>;
  failed: number;
}

const NAMED_OPERANDS = new Set(["AL", "rAX", "CL", "1"]);
const BATCH = 4096;

/** What differs between two views, or "" if nothing. */
function difference(own: DecodedView, reference: DecodedView): What | "" {
  if (own.mnemonic === INVALID || reference.mnemonic === INVALID)
    return own.mnemonic === reference.mnemonic ? "" : "validity";
  if (own.length !== reference.length) return "length";
  if (!sameMnemonic(own.mnemonic, reference.mnemonic)) return "mnemonic";
  if (own.operands !== reference.operands) return "operands";
  return own.memoryBytes !== 0 && own.memoryBytes !== reference.memoryBytes ? "bytes of memory" : "";
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");

const text = (view: DecodedView): string =>
  `${view.length} ${view.mnemonic} ${view.operands}${view.memoryBytes ? ` (${view.memoryBytes} bytes)` : ""}`;

export class Comparison {
  readonly outcome: Outcome = {
    compared: 0,
    undefinedBoth: 0,
    explained: new Map(),
    failures: new Map(),
    failed: 0,
  };
  private readonly own: OwnDecoder;
  private readonly reference: ReferenceDecoder;
  private strings: Strings;

  constructor(
    private readonly bits: Bits,
    private readonly random: Random,
  ) {
    this.own = new OwnDecoder(bits);
    this.reference = new ReferenceDecoder(bits);
    this.strings = new Strings(BATCH, random);
  }

  /** Compares the string that starts with `head`, when enough have come together. `finish` does the rest. */
  add(head: readonly number[]): void {
    this.strings.add(head);
    if (this.strings.isFull) this.finish();
  }

  finish(): void {
    const { bytes, count } = this.strings;
    this.reference.load(bytes);
    for (let n = 0; n < count; n++) {
      this.reference.decode(n * STRIDE, PAGE_OFFSET);
      this.compare(bytes, n * STRIDE);
    }
    this.strings = new Strings(BATCH, this.random);
  }

  /**
   * Compares code from its first byte to its last, going on by the reference's lengths: every length, and every
   * `every`th instruction and every undefined one in all its parts.
   */
  walk(code: Uint8Array, every: number): void {
    this.reference.load(code);
    for (let at = 0, n = 1; at < code.length - STRIDE; n++) {
      const length = this.reference.decode(at, PAGE_OFFSET);
      if (n % every === 0 || !this.reference.isOffered || this.own.length(code, at, code.length) !== length)
        this.compare(code, at);
      else this.outcome.compared++;
      at += length;
    }
  }

  /** Compares the string at `at`, which the reference has just decoded. */
  private compare(bytes: Uint8Array, at: number): void {
    const own = this.own.view(bytes, at);
    const { form } = this.own.instruction;
    const reference = this.reference.view(form.operands.some((o) => NAMED_OPERANDS.has(o.kind)));
    this.outcome.compared++;
    const what = difference(own, reference);
    if (what === "") {
      if (own.mnemonic === INVALID) this.outcome.undefinedBoth++;
      return;
    }
    this.record(what, {
      bits: this.bits,
      bytes: bytes.subarray(at, at + STRIDE),
      own,
      reference,
      code: this.reference.codeName,
      form: form.mnemonic,
    });
  }

  private record(what: What, found: Case): void {
    const known = DIFFERENCES.find((d) => d.what.includes(what) && d.applies(found));
    if (known) {
      this.outcome.explained.set(known.reason, (this.outcome.explained.get(known.reason) ?? 0) + 1);
      return;
    }
    this.outcome.failed++;
    const key = `${what} ${found.code} ${found.form}`;
    if (this.outcome.failures.has(key)) return;
    this.outcome.failures.set(
      key,
      `${found.bits}-bit ${hex(found.bytes.subarray(0, 15))}: ${what}\n` +
        `    ours      ${text(found.own)} (form ${found.form})\n    reference ${text(found.reference)} (${found.code})`,
    );
  }
}

/** Compares every string that starts with one of `heads`. The same seed gives the same strings. */
export function compareAll(
  bits: Bits,
  seed: number,
  heads: (random: Random) => Iterable<readonly number[]>,
): Outcome {
  const random = new Random(seed + bits);
  const comparison = new Comparison(bits, random);
  for (const head of heads(random)) comparison.add(head);
  comparison.finish();
  return comparison.outcome;
}
