/** How a folder is shared: what a guest may remember of it, and for how long. */

/**
 * What a guest remembers: nothing, so that every look sees the host; names and attributes for a second, files until they are another
 * when they are opened; or all for a day, what it writes included, for a folder that nobody else changes.
 */
export const SHARE_CACHES = ["none", "auto", "always"] as const;
export type ShareCache = (typeof SHARE_CACHES)[number];

/** Seconds that names and attributes stand. */
export const REMEMBERED_SECONDS: Readonly<Record<ShareCache, number>> = { none: 0, auto: 1, always: 86400 };
