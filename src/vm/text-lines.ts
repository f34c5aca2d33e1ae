/** From bytes as they come to lines of text. */

/** A line is cut there: a guest may never end one. */
const LONGEST_LINE = 1 << 20;

const CARRIAGE_RETURN = 0x0d;

/** Without the carriage returns at its end. */
function trimmed(line: string): string {
  let end = line.length;
  while (end > 0 && line.charCodeAt(end - 1) === CARRIAGE_RETURN) end--;
  return line.slice(0, end);
}

/** Takes bytes and gives the lines that they end. It looks at each byte once, however small the pieces are. */
export class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** What stands behind the last line. */
  #rest = "";

  take(bytes: Uint8Array): string[] {
    const lines = this.#decoder.decode(bytes, { stream: true }).split("\n");
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    return lines.map(trimmed);
  }

  /** What never became a line; undefined: nothing. */
  end(): string | undefined {
    const last = this.#rest + this.#decoder.decode();
    this.#rest = "";
    return last === "" ? undefined : last;
  }
}

/** The lines of UTF-8 without their ends; the last one may lack its end. */
export async function* textLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const splitter = new LineSplitter();
  for await (const chunk of bytes) yield* splitter.take(chunk);
  const last = splitter.end();
  if (last !== undefined) yield last;
}
