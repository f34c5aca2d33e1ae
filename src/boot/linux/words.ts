/** What whatever is started by Linux's boot protocol is told: the protocol says whose kernel it is. */
import { consoleWords, type DefaultCommandLine } from "../systems.js";

/** The command line where none is given. */
export const LINUX_BOOT_WORDS: DefaultCommandLine = {
  ...consoleWords({ system: "Linux", by: "its boot protocol" })!,
  why: "kernels of Linux's boot protocol show their console by these words",
};
