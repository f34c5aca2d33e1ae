/** What whatever is started by Linux's boot protocol is told: the protocol says whose kernel it is. */
import type { LoadContext } from "../loader.js";
import { commandLineWarnings, SYSTEM_RULES, type DefaultCommandLine } from "../systems.js";

/** The command line where none is given. */
export const LINUX_BOOT_WORDS: DefaultCommandLine = {
  text: SYSTEM_RULES.Linux.words,
  why: "kernels of Linux's boot protocol show their console by these words",
};

/** Warns of a command line that leaves Linux without a console of ours. */
export function warnOfLinuxLine(context: LoadContext): void {
  for (const text of commandLineWarnings("Linux", context.commandLine, context.vga === true))
    context.warn(text);
}
