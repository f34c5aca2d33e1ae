/**
 * What can be told of a kernel without running it: its embedded configuration (Linux' IKCFG), and texts that only a kernel with
 * a certain driver has. Each with where it stands. Knows no loader.
 */
import { CodecError } from "../codecs/codec-error.js";
import { decompress } from "../codecs/decompress.js";

/** Whether something is in a kernel, and how that is known. */
export interface Mark {
  readonly present: boolean;
  /** For people: `CONFIG_VIRTIO_MMIO=m in the embedded configuration`. */
  readonly evidence: string;
  /** Offset in the unpacked kernel; absent for what is not there. */
  readonly offset?: number;
}

/** What is looked for: a text of the driver, and the option that builds it in. */
export interface MarkSpec {
  readonly option?: string;
  readonly text: string;
}

const CONFIG_START = "IKCFG_ST";
const CONFIG_END = "IKCFG_ED";
/** Configurations have some 300 KB. */
const MOST_CONFIG = 2 ** 22;
/** Bytes of a kernel that are looked through: more than any has without debugging information. */
const SEARCHED = 2 ** 27;

/** The kernel's own configuration: what its option lines say, and the offset of the packed text. */
export interface EmbeddedConfig {
  readonly offset: number;
  /** "y", "m", a value; absent for what is not set. */
  readonly options: ReadonlyMap<string, string>;
}

/** Characters that decide how far the search may go on. */
const BLOCK = 2;
const BLOCKS = 2 ** 16;

/**
 * Where each text first stands, in one pass: by the two characters at the end of a window as long as the shortest text, which tell
 * how far the next place is that any text can stand at (Wu and Manber, 1994). Texts are Latin-1, of two characters or more.
 */
export function findTexts(bytes: Uint8Array, texts: readonly string[]): Map<string, number> {
  const window = Math.min(...texts.map(({ length }) => length));
  if (!(window >= BLOCK)) throw new RangeError("a text of less than two characters");
  const steps = new Uint32Array(BLOCKS).fill(window - BLOCK + 1);
  const ending = new Map<number, { text: string; codes: number[] }[]>();
  for (const text of texts) {
    const codes = Array.from(text, (character) => character.charCodeAt(0));
    for (let i = 0; i + BLOCK <= window; i++) {
      const block = codes[i] | (codes[i + 1] << 8);
      steps[block] = Math.min(steps[block], window - BLOCK - i);
      if (i + BLOCK === window) ending.set(block, [...(ending.get(block) ?? []), { text, codes }]);
    }
  }
  const found = new Map<string, number>();
  const end = Math.min(bytes.length, SEARCHED) - window;
  for (let at = 0; at <= end && found.size < texts.length;) {
    const block = bytes[at + window - 2] | (bytes[at + window - 1] << 8);
    const step = steps[block];
    if (step === 0) {
      for (const { text, codes } of ending.get(block) ?? []) {
        if (!found.has(text) && codes.every((code, i) => bytes[at + i] === code)) found.set(text, at);
      }
    }
    at += step === 0 ? 1 : step;
  }
  return found;
}

/** The embedded configuration; undefined when there is none, or it cannot be unpacked. */
export function embeddedConfig(
  bytes: Uint8Array,
  places: ReadonlyMap<string, number>,
): EmbeddedConfig | undefined {
  const start = places.get(CONFIG_START);
  const end = places.get(CONFIG_END);
  if (start === undefined || end === undefined || end <= start) return undefined;
  const packed = bytes.subarray(start + CONFIG_START.length, end);
  try {
    const text = new TextDecoder().decode(decompress("gzip", packed, { maxOutput: MOST_CONFIG }).bytes);
    const options = new Map<string, string>();
    for (const [, name, value] of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) options.set(name, value);
    return { offset: start, options };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** Answers about one kernel. */
export class KernelMarks<Name extends string> {
  readonly #places: ReadonlyMap<string, number>;
  readonly #config: EmbeddedConfig | undefined;

  /** @param where what the bytes are, for people: "the unpacked payload". */
  constructor(
    bytes: Uint8Array,
    readonly specs: Readonly<Record<Name, MarkSpec>>,
    readonly where: string,
  ) {
    const texts = Object.values<MarkSpec>(specs).map(({ text }) => text);
    this.#places = findTexts(bytes, [...texts, CONFIG_START, CONFIG_END]);
    this.#config = embeddedConfig(bytes, this.#places);
  }

  /** Whether it is built in. */
  mark(name: Name): Mark {
    const { option, text } = this.specs[name];
    if (this.#config !== undefined && option !== undefined) {
      const value = this.#config.options.get(option);
      const said = value === undefined ? `${option} is not set` : `${option}=${value}`;
      const evidence = `${said} in the embedded configuration`;
      return { present: value === "y", evidence, offset: this.#config.offset };
    }
    const offset = this.#places.get(text);
    return offset === undefined
      ? { present: false, evidence: `the text "${text}" is nowhere in ${this.where}` }
      : { present: true, evidence: `the text "${text}" in ${this.where}`, offset };
  }
}
