/** How old a lock is whose owner is gone (`lock.ts`). What only asks for that is not to load what takes one. */

/** Of its last touch, ms. Longer than any stretch for which the owner's event loop is busy, on however slow a host. */
export const STALE_MS = 120_000;
