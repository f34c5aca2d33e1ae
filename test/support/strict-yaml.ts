/**
 * A strict reader of the YAML that our own files and pages have: mappings, lists, plain scalars, scalars in double quotes, lists in brackets
 * and literal blocks. Anything else throws, so that it cannot be read as something else than by others.
 */
import assert from "node:assert/strict";

export type Yaml = string | Yaml[] | { [key: string]: Yaml };

interface Line {
  indent: number;
  text: string;
}

const KEY = /^([A-Za-z_][A-Za-z0-9_-]*):(?: (.*))?$/;
/** What a plain scalar must not begin with or hold to be one for every reader. */
const NOT_PLAIN = /^[-?:,[\]{}#&*!|>'"%@`]|: | #|:$/;

function scalar(text: string): Yaml {
  if (text.startsWith('"')) return JSON.parse(text) as string;
  const list = /^\[(.*)\]$/.exec(text);
  if (list !== null) return list[1].split(", ").map(scalar);
  assert.doesNotMatch(text, NOT_PLAIN, `not plain: ${text}`);
  return text;
}

class Reader {
  readonly #raw: readonly string[];
  #at = 0;

  constructor(text: string) {
    assert.ok(text.endsWith("\n") && !text.includes("\t"));
    this.#raw = text.slice(0, -1).split("\n");
  }

  /** The next line with something in it, not taken. */
  #next(): Line | undefined {
    while (this.#at < this.#raw.length && /^ *(#.*)?$/.test(this.#raw[this.#at])) this.#at++;
    if (this.#at >= this.#raw.length) return undefined;
    const raw = this.#raw[this.#at];
    const indent = raw.length - raw.trimStart().length;
    assert.equal(raw, raw.trimEnd());
    return { indent, text: raw.slice(indent) };
  }

  /** What stands at this depth. */
  block(indent: number): Yaml {
    const first = this.#next();
    assert.ok(first?.indent === indent, `line ${this.#at + 1}: ${first?.text}`);
    return first.text.startsWith("- ") ? this.#list(indent) : this.#mapping(indent);
  }

  end(): void {
    assert.equal(this.#next(), undefined);
  }

  #list(indent: number): Yaml[] {
    const items: Yaml[] = [];
    for (let line = this.#next(); line?.indent === indent; line = this.#next()) {
      assert.ok(line.text.startsWith("- "), line.text);
      const rest = line.text.slice(2);
      const lines = this.#raw as string[];
      if (KEY.test(rest)) {
        // Its first key stands where the others do.
        lines[this.#at] = " ".repeat(indent + 2) + rest;
        items.push(this.#mapping(indent + 2));
      } else {
        this.#at++;
        items.push(scalar(rest));
      }
    }
    return items;
  }

  #mapping(indent: number): Record<string, Yaml> {
    const pairs: Record<string, Yaml> = {};
    for (let line = this.#next(); line?.indent === indent; line = this.#next()) {
      const [, key, value] = KEY.exec(line.text) ?? [];
      assert.ok(key !== undefined && !Object.hasOwn(pairs, key), `line ${this.#at + 1}: ${line.text}`);
      this.#at++;
      if (value === "|") pairs[key] = this.#literal(indent + 2);
      else pairs[key] = value === undefined ? this.block(this.#deeper(indent)) : scalar(value);
    }
    return pairs;
  }

  #deeper(indent: number): number {
    const inner = this.#next()?.indent ?? 0;
    assert.equal(inner, indent + 2);
    return inner;
  }

  #literal(indent: number): string {
    const lines: string[] = [];
    for (; this.#at < this.#raw.length; this.#at++) {
      const raw = this.#raw[this.#at];
      if (raw !== "" && !raw.startsWith(" ".repeat(indent))) break;
      lines.push(raw.slice(indent));
    }
    return `${lines.join("\n").trimEnd()}\n`;
  }
}

/** The document as data; every scalar as text. */
export function parseYaml(text: string): Yaml {
  const reader = new Reader(text);
  const document = reader.block(0);
  reader.end();
  return document;
}
