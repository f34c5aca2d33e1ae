/** How a folder is shared: what it is carried by, what a guest may remember of it, and for how long. */

/**
 * What a guest remembers: nothing, so that every look sees the host; names and attributes for a second, files until they are another
 * when they are opened; or all for a day, what it writes included, for a folder that nobody else changes.
 */
export const SHARE_CACHES = ["none", "auto", "always"] as const;
export type ShareCache = (typeof SHARE_CACHES)[number];

/** What carries a folder to the guest: FUSE, or 9P2000.L for kernels without it. */
export const SHARE_PROTOCOLS = ["virtiofs", "9p"] as const;
export type ShareProtocol = (typeof SHARE_PROTOCOLS)[number];

/** One user and group for all that a folder holds. */
export interface ShareOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Seconds that names and attributes stand. */
export const REMEMBERED_SECONDS: Readonly<Record<ShareCache, number>> = { none: 0, auto: 1, always: 86400 };
