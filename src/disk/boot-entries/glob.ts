/** Patterns with * and ?, as configurations name entries by; compared without going back more than once. */

/** Whether the whole text fits the pattern; the case of letters does not matter. */
export function fitsGlob(text: string, pattern: string): boolean {
  const [t, p] = [text.toLowerCase(), pattern.toLowerCase()];
  let [i, j] = [0, 0];
  let [star, resume] = [-1, 0];
  while (i < t.length) {
    if (p[j] === "*") {
      star = j++;
      resume = i;
    } else if (j < p.length && (p[j] === "?" || p[j] === t[i])) {
      i++;
      j++;
    } else if (star >= 0) {
      j = star + 1;
      i = ++resume;
    } else return false;
  }
  while (p[j] === "*") j++;
  return j === p.length;
}
