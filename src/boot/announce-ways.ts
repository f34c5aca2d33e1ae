/** The ways to tell a kernel of virtio devices. Loads nothing: the command line asks for one of them. */
export const ANNOUNCE_WAYS = ["acpi", "cmdline", "both"] as const;
export type AnnounceBy = (typeof ANNOUNCE_WAYS)[number];
