/** Taking away what was seen at a path, and nothing that came there since: for sockets and locks that a killed process left. */
import fs from "node:fs";

/** What the host calls an error; undefined for one that is none of its. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/**
 * Moves what is at a path to `away`, which is the caller's alone, looks at it there, and has it put back where it is not what was seen.
 * Throws as the host does; that nothing is there is no error.
 */
export function takeSeen(
  at: string,
  away: string,
  { isSeen, putBack }: { readonly isSeen: () => boolean; readonly putBack: () => void },
): void {
  try {
    fs.renameSync(at, away);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if (!isSeen()) putBack();
}
