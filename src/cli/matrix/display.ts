/**
 * What is shown while a matrix runs. On a terminal: under the lines of cells that ended, what runs now; it is drawn again and again, and is
 * gone at the end. Elsewhere: the lines alone.
 */
import type { Writable } from "node:stream";
import { inOneLine } from "../../bytes/one-line.js";
import { printLines } from "../command.js";
import { progressText, type ShownProgress } from "../progress.js";
import { shownTime } from "./durations.js";

type Screen = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** A cell that runs now. */
export interface ShownCell {
  name: string;
  startedMs: number;
}

export interface MatrixDisplay {
  /** Lines that stay. */
  lines(lines: readonly string[]): void;
  began(cell: ShownCell): void;
  ended(cell: ShownCell, lines: readonly string[]): void;
  fetching(event: ShownProgress): void;
  /** Nothing is fetched any more. */
  fetched(): void;
  close(): void;
}

const REDRAW_MS = 500;
/** Rows of a terminal that does not say how many it has, and columns. */
const USUAL_ROWS = 24;
const USUAL_COLUMNS = 80;
/** Rows that are left to what scrolls. */
const SPARE_ROWS = 3;

/** Some terminals say that they have none. */
function orUsual(said: number | undefined, usual: number): number {
  return said === undefined || said === 0 ? usual : said;
}

/** Lines only, and fetching where progress goes. */
class PlainDisplay implements MatrixDisplay {
  #last = "";

  constructor(
    readonly screen: Screen,
    readonly progress: Writable,
  ) {}

  lines(lines: readonly string[]): void {
    printLines(this.screen, lines);
  }

  began(): void {
    // It is named when it ends.
  }

  ended(_cell: ShownCell, lines: readonly string[]): void {
    this.lines(lines);
  }

  fetching(event: ShownProgress): void {
    const { guest, step } = event;
    if (this.#last !== `${guest} ${step}`) printLines(this.progress, [progressText(event)]);
    this.#last = `${guest} ${step}`;
  }

  fetched(): void {
    // Lines stay.
  }

  close(): void {
    // There is nothing to remove.
  }
}

/** A terminal's. */
class LiveDisplay implements MatrixDisplay {
  readonly #running = new Set<ShownCell>();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #ended = 0;
  #fetching: string | undefined;

  constructor(
    readonly screen: Screen,
    readonly cells: number,
  ) {
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  lines(lines: readonly string[]): void {
    this.#erase();
    printLines(this.screen, lines);
    this.#draw();
  }

  began(cell: ShownCell): void {
    this.#running.add(cell);
    this.#draw();
  }

  ended(cell: ShownCell, lines: readonly string[]): void {
    this.#running.delete(cell);
    this.#ended++;
    this.lines(lines);
  }

  fetching(event: ShownProgress): void {
    this.#fetching = `fetch    ${progressText(event)}`;
    this.#draw();
  }

  fetched(): void {
    this.#fetching = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #erase(): void {
    if (this.#drawn > 0) this.screen.write(`\x1b[${this.#drawn}A\r\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const room = Math.max(1, orUsual(this.screen.rows, USUAL_ROWS) - SPARE_ROWS);
    const now = performance.now();
    const running = [...this.#running].map(
      ({ name, startedMs }) => `run      ${name}  ${shownTime(now - startedMs)}`,
    );
    const more = running.length > room ? [`         and ${running.length - room} more`] : [];
    const waiting = this.cells - this.#ended - this.#running.size;
    const lines = [
      ...running.slice(0, room),
      ...more,
      ...(this.#fetching === undefined ? [] : [this.#fetching]),
      `${this.#ended} of ${this.cells} cells ended, ${this.#running.size} running, ${waiting} waiting`,
    ];
    const width = orUsual(this.screen.columns, USUAL_COLUMNS) - 1;
    const text = lines.map((line) => `${inOneLine(line).slice(0, width)}\n`).join("");
    this.#erase();
    this.screen.write(text);
    this.#drawn = lines.length;
  }
}

/** What fits the stream; what is fetched is told on `progress` where that is not a terminal. */
export function matrixDisplay(screen: Screen, progress: Writable, cells: number): MatrixDisplay {
  return screen.isTTY === true ? new LiveDisplay(screen, cells) : new PlainDisplay(screen, progress);
}
