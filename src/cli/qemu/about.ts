/** What commands say of QEMU's words without having them (words.ts): most command lines have none. */
import type { ForeignWord } from "../args.js";

/** For the help of commands that take these words. */
export const QEMU_PARAGRAPH =
  "QEMU's words are understood: taken where they mean what happens here anyway or nothing, otherwise refused with what to " +
  "write instead. locore help qemu lists them.";

/** The words, loaded when somebody may have written one. */
export async function qemuWords(): Promise<readonly ForeignWord[]> {
  return (await import("./words.js")).QEMU_WORDS;
}
