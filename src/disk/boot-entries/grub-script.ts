/**
 * The language of grub.cfg as far as it is data: commands of words, blocks, if and functions. `parse` makes a tree of the text;
 * `grub.ts` runs what decides on kernels. Loops are parsed and left out: how often they run is no data.
 */

/** A word is pieces: text, or the name of a variable. */
export type Word = readonly Piece[];
export type Piece = { readonly text: string } | { readonly variable: string; readonly quoted: boolean };

export type Statement =
  | {
      readonly kind: "command";
      readonly words: readonly Word[];
      readonly block?: readonly Statement[];
      readonly line: number;
    }
  | {
      readonly kind: "if";
      readonly ways: readonly Way[];
      readonly otherwise: readonly Statement[];
      readonly line: number;
    }
  | {
      readonly kind: "function";
      readonly name: string;
      readonly body: readonly Statement[];
      readonly line: number;
    }
  | { readonly kind: "loop"; readonly line: number };

/** A condition, which is the last of some commands, and what it decides on. */
export interface Way {
  readonly test: readonly Statement[];
  readonly body: readonly Statement[];
}

/** A file that cannot be parsed; `line` counts from 1. */
export class GrubSyntaxError extends Error {
  constructor(
    readonly line: number,
    readonly found: string,
  ) {
    super(`line ${line}: found ${found}`);
    this.name = "GrubSyntaxError";
  }
}

type Token =
  { readonly word: Word; readonly line: number } | { readonly sign: ";" | "{" | "}"; readonly line: number };

/** Blocks in blocks. */
const DEEPEST = 32;
const VARIABLE = /^\$(?:(\w+|[?@#*])|\{(\w+|[?@#*])\})/;
/** A name of a variable is short: no more of the text is looked at. */
const LONGEST_NAME = 80;
const BLANK = " \t\r";
const ENDS_WORD = `${BLANK}\n;{}|&<>`;

class Lexer {
  readonly tokens: Token[] = [];
  #at = 0;
  #line = 1;

  constructor(readonly text: string) {
    while (this.#at < text.length) this.#next();
  }

  #next(): void {
    const { text } = this;
    const c = text[this.#at];
    if (BLANK.includes(c)) this.#at++;
    else if (text.startsWith("\\\n", this.#at)) {
      // The line goes on.
      this.#line++;
      this.#at += 2;
    } else if (c === "\n") {
      this.tokens.push({ sign: ";", line: this.#line++ });
      this.#at++;
    } else if (c === "#") {
      const end = text.indexOf("\n", this.#at);
      this.#at = end < 0 ? text.length : end;
    } else if (c === ";" || c === "|" || c === "&" || c === "<" || c === ">") {
      this.tokens.push({ sign: ";", line: this.#line });
      this.#at++;
    } else if (c === "{" || c === "}") {
      this.tokens.push({ sign: c, line: this.#line });
      this.#at++;
    } else this.#word();
  }

  #word(): void {
    const { text } = this;
    const line = this.#line;
    const pieces: Piece[] = [];
    let plain = "";
    const flush = (): void => {
      if (plain !== "") pieces.push({ text: plain });
      plain = "";
    };
    let quoted = false;
    let any = false;
    for (; this.#at < text.length; this.#at++) {
      const c = text[this.#at];
      if (!quoted && ENDS_WORD.includes(c)) break;
      any = true;
      if (c === "\n") this.#line++;
      if (c === '"') quoted = !quoted;
      else if (c === "'" && !quoted) plain += this.#single();
      else if (c === "\\") plain += this.#escaped(quoted);
      else if (c === "$") {
        const match = VARIABLE.exec(text.slice(this.#at, this.#at + LONGEST_NAME));
        if (match === null) plain += c;
        else {
          flush();
          pieces.push({ variable: match[1] ?? match[2], quoted });
          this.#at += match[0].length - 1;
        }
      } else plain += c;
    }
    if (quoted) throw new GrubSyntaxError(line, 'a " without its end');
    flush();
    if (any) this.tokens.push({ word: pieces, line });
  }

  /** To the quote that ends it, which is left to the caller to step over. */
  #single(): string {
    const end = this.text.indexOf("'", this.#at + 1);
    if (end < 0) throw new GrubSyntaxError(this.#line, "a ' without its end");
    const inside = this.text.slice(this.#at + 1, end);
    for (const c of inside) if (c === "\n") this.#line++;
    this.#at = end;
    return inside;
  }

  #escaped(quoted: boolean): string {
    const c = this.text[++this.#at] ?? "";
    if (c === "\n") {
      this.#line++;
      return "";
    }
    return quoted && !'$"\\'.includes(c) ? `\\${c}` : c;
  }
}

/** The text of a word that has no variables; undefined for one that has. */
function literal(token: Token | undefined): string | undefined {
  if (token === undefined || !("word" in token)) return undefined;
  if (token.word.length === 0) return "";
  const [piece] = token.word;
  return token.word.length === 1 && "text" in piece ? piece.text : undefined;
}

class Parser {
  #at = 0;

  constructor(readonly tokens: readonly Token[]) {}

  /** Statements up to one of the words or the sign, which is not taken. */
  statements(ends: readonly string[], depth: number): Statement[] {
    if (depth > DEEPEST) throw new GrubSyntaxError(this.#line(), "blocks in blocks in blocks");
    const found: Statement[] = [];
    for (;;) {
      const token = this.tokens[this.#at];
      if (token === undefined) {
        if (ends.length > 0)
          throw new GrubSyntaxError(this.#line(), `the end of the file before ${ends.join(" or ")}`);
        return found;
      }
      if ("sign" in token && token.sign === ";") {
        this.#at++;
        continue;
      }
      if (ends.includes("sign" in token ? token.sign : (literal(token) ?? ""))) return found;
      if ("sign" in token) throw new GrubSyntaxError(token.line, token.sign);
      found.push(this.#statement(depth));
    }
  }

  #line(): number {
    return this.tokens[Math.min(this.#at, this.tokens.length - 1)]?.line ?? 1;
  }

  #statement(depth: number): Statement {
    const line = this.#line();
    switch (literal(this.tokens[this.#at])) {
      case "if":
        return this.#if(depth, line);
      case "function":
        return this.#function(depth, line);
      case "for":
      case "while":
      case "until":
        this.#at++;
        this.statements(["do"], depth + 1);
        this.#at++;
        this.statements(["done"], depth + 1);
        this.#at++;
        return { kind: "loop", line };
      default:
        return this.#command(depth, line);
    }
  }

  #if(depth: number, line: number): Statement {
    const ways: Way[] = [];
    let otherwise: Statement[] = [];
    let word = "if";
    while (word !== "fi") {
      this.#at++;
      if (word === "else") otherwise = this.statements(["fi"], depth + 1);
      else {
        const test = this.statements(["then"], depth + 1);
        this.#at++;
        ways.push({ test, body: this.statements(["elif", "else", "fi"], depth + 1) });
      }
      word = literal(this.tokens[this.#at]) ?? "fi";
    }
    this.#at++;
    return { kind: "if", ways, otherwise, line };
  }

  #function(depth: number, line: number): Statement {
    this.#at++;
    const name = literal(this.tokens[this.#at++]) ?? "";
    return { kind: "function", name, body: this.#block(depth), line };
  }

  #block(depth: number): Statement[] {
    let token = this.tokens[this.#at];
    while (token !== undefined && "sign" in token && token.sign === ";") token = this.tokens[++this.#at];
    if (token === undefined || !("sign" in token) || token.sign !== "{")
      throw new GrubSyntaxError(this.#line(), "no { where a block begins");
    this.#at++;
    const body = this.statements(["}"], depth + 1);
    this.#at++;
    return body;
  }

  #command(depth: number, line: number): Statement {
    const words: Word[] = [];
    for (;;) {
      const token = this.tokens[this.#at];
      if (token === undefined || ("sign" in token && token.sign !== "{"))
        return { kind: "command", words, line };
      if ("sign" in token) return { kind: "command", words, block: this.#block(depth), line };
      words.push(token.word);
      this.#at++;
    }
  }
}

/** Parses a file. Throws GrubSyntaxError. */
export function parseGrub(text: string): Statement[] {
  return new Parser(new Lexer(text).tokens).statements([], 0);
}
