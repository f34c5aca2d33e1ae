/**
 * Binary search in what is sorted. Knows nothing of addresses.
 */

/**
 * Index of the first item that passes, or the length when none does. `passes` must be false for items up to some place
 * and true for all behind it. Takes about log2(n) calls.
 */
export function partitionPoint<T>(items: readonly T[], passes: (item: T) => boolean): number {
  let from = 0;
  let to = items.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (passes(items[middle])) to = middle;
    else from = middle + 1;
  }
  return from;
}
