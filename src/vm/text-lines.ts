/** From bytes as they come to lines of text. */

/** A line is cut there: a guest may never end one. */
const LONGEST_LINE = 1 << 20;

/** Takes bytes and gives the lines that they end; `rest` is what stands behind the last of them. */
export class LineSplitter {
  readonly #decoder = new TextDecoder();
  #rest = "";

  take(bytes: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    return lines.map((line) => line.replace(/\r+$/, ""));
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
