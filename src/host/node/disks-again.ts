/** Whether the disks that a machine is given are those that it had when it was saved: it would find other bytes than it remembers. */
import type { SavedDisk, SavedFile } from "../../snapshot/disks.js";
import { DiskError } from "./disk-error.js";
import type { DiskRequest } from "./disk-request.js";

/** Throws DiskError unless there are as many as were saved. */
export function checkCount(saved: readonly SavedDisk[], given: readonly DiskRequest[]): void {
  if (saved.length === given.length) return;
  const [missing] = saved.slice(given.length);
  if (missing !== undefined)
    throw new DiskError(
      missing.file,
      undefined,
      `${given.length} disks given`,
      `${saved.length}, as the snapshot's machine had`,
      "Give them again, in their order: locore restore … --disk FILE. locore inspect lists them.",
    );
  throw new DiskError(
    given[saved.length].file,
    undefined,
    "a disk that the snapshot's machine did not have",
    `${saved.length} disks`,
    "Leave it out.",
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Throws DiskError for a disk that is another one than `saved`, or was changed since. */
export function checkSame(
  saved: SavedDisk,
  { file, access, serial }: DiskRequest,
  now: { size: number; files: readonly SavedFile[] },
): void {
  const refuse = (found: string, expected: string, meaning: string): never => {
    throw new DiskError(
      file,
      undefined,
      found,
      `${expected}, as the snapshot's ${saved.name} (${saved.file})`,
      meaning,
    );
  };
  const OTHER = "Give the disk that it was: the guest remembers what is on it.";
  const CHANGED = "It was changed since; take a copy made then (cp -p keeps its time).";
  const forked = saved.access === "write" && access === "memory";
  if (access !== saved.access && !forked)
    refuse(WORDS[access], WORDS[saved.access], "Give it as it was given when the machine was saved.");
  if (serial !== undefined && serial !== saved.serial)
    refuse(`the serial number "${serial}"`, `"${saved.serial}"`, "Leave serial= out.");
  if (now.size !== saved.size) refuse(`a disk of ${now.size} bytes`, `${saved.size}`, OTHER);
  if (now.files.length !== saved.files.length)
    refuse(`${now.files.length} files over each other`, `${saved.files.length}`, OTHER);
  for (const [index, was] of saved.files.entries()) {
    const is = now.files[index];
    const which = index === 0 ? "" : ` (backing file ${index})`;
    if (is.format !== was.format) refuse(`the format ${is.format}${which}`, was.format, OTHER);
    if (is.size !== was.size) refuse(`a file of ${is.size} bytes${which}`, `${was.size}`, CHANGED);
    if (!sameBytes(is.digest, was.digest)) refuse(`another beginning${which}`, "the one it had", CHANGED);
    if (is.changedNs !== was.changedNs)
      refuse(`a file that was written at another time${which}`, "the time of then", CHANGED);
  }
}

/** How a disk is asked for. */
const WORDS: Readonly<Record<SavedDisk["access"], string>> = {
  memory: "a disk that is kept as it is",
  write: "a disk that is written (rw, or overlay=)",
  read: "a disk that is only read (ro)",
};
