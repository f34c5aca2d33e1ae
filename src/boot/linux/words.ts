/** What whatever is started by Linux's boot protocol is told: the protocol says whose kernel it is. */
import { SYSTEM_RULES, type DefaultCommandLine } from "../systems.js";

/** The command line where none is given. */
export const LINUX_BOOT_WORDS: DefaultCommandLine = {
  text: SYSTEM_RULES.Linux.words,
  why: "kernels of Linux's boot protocol show their console by these words",
};
