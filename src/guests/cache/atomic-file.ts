/** Files that are either not there or complete, even after a crash: temporary name, fsync, rename. Knows no guest. */
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

/** Writes a whole file in place of the one of that name, if there is one; its folder exists. `mode`: what it allows at most. */
export async function replaceFile(file: string, bytes: Uint8Array, mode?: number): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${crypto.randomUUID()}.tmp`);
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
