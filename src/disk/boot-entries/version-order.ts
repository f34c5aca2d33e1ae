/**
 * The order of versions that the UAPI group's Version Format Specification defines, by which Boot Loader Specification entries are
 * sorted, and kernels by their file names here.
 */

const SEPARATORS = /^[^a-z0-9~^.-]+/i;
/** Characters that are compared: more than any file's name has. */
const LONGEST = 256;

/** Splits off what `pattern` matches at the start. */
function leading(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[0] ?? "";
}

/** Where a character alone decides: what it is at the start of each rest, lowest first. */
function rank(text: string): number {
  if (text.startsWith("~")) return 0;
  if (text === "") return 1;
  const order = ["-", "^", "."];
  const at = order.indexOf(text[0]);
  return at < 0 ? order.length + 2 : at + 2;
}

function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
}

/** Letters as strcmp compares them: capitals come first. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Negative when `a` is the older. */
export function compareVersions(a: string, b: string): number {
  let [x, y] = [a.slice(0, LONGEST), b.slice(0, LONGEST)];
  while (x !== "" || y !== "") {
    [x, y] = [x.replace(SEPARATORS, ""), y.replace(SEPARATORS, "")];
    const ranks = rank(x) - rank(y);
    if (ranks !== 0) return ranks;
    if (x === "") return 0;
    if (/^[-~^.]/.test(x)) {
      [x, y] = [x.slice(1), y.slice(1)];
      continue;
    }
    const numeric = /^[0-9]/.test(x) || /^[0-9]/.test(y);
    const pattern = numeric ? /^[0-9]*/ : /^[a-z]*/i;
    const [p, q] = [leading(x, pattern), leading(y, pattern)];
    // A number is newer than letters.
    if (numeric && (p === "") !== (q === "")) return p === "" ? -1 : 1;
    const parts = numeric ? compareNumbers(p, q) : compareText(p, q);
    if (parts !== 0) return parts;
    [x, y] = [x.slice(p.length), y.slice(q.length)];
  }
  return 0;
}
