/** A disk as somebody asks for it: a file, and what becomes of what the guest writes. */
export type DiskFormat = "raw" | "qcow2";

/** A disk as it is asked for. Plain data. */
export interface DiskRequest {
  file: string;
  /**
   * What becomes of what the guest writes: it goes into memory and is gone with the machine, or into the file, or the guest cannot
   * write.
   */
  access: "memory" | "write" | "read";
  /** A qcow2 file over this one that takes what the guest writes; made where there is none. */
  overlay?: string;
  /** Absent: by its first bytes. */
  format?: DiskFormat;
  /** What the guest is told as its serial number; absent: none. */
  serial?: string;
  /** The kernel is told that its root file system is on it. */
  root?: true;
}
