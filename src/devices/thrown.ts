/** What code of somebody's own threw, in one line for people. */
import { inOneLine } from "../bytes/one-line.js";

/** A place in a line of a stack: a file's name, line and column. */
const PLACE = /([^\s()/\\]+\.[cm]?[jt]s:\d+:\d+)\)?$/m;

/** `RangeError: too far (mine.js:12:9)`. */
export function thrownText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return inOneLine(String(thrown));
  const place = PLACE.exec(thrown.stack ?? "")?.[1];
  return inOneLine(`${thrown.name}: ${thrown.message}${place === undefined ? "" : ` (${place})`}`);
}
