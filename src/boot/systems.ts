/**
 * What each system's kernel wants to be told, as one table: the words that show its console on the serial port, and how
 * much of a command line it reads. Loaders take their default words and their warnings from here.
 *
 * Sources: FreeBSD sys/x86/xen/pv.c, sys/kern/subr_boot.c, uart(4); NetBSD sys/arch/xen/x86/xen_machdep.c; Linux
 * Documentation/admin-guide/serial-console.rst, arch/x86/include/asm/setup.h; Xen docs/misc/xen-command-line.pandoc;
 * GNU Mach i386/i386at/com.c.
 */
import { systemByMarks, systemByText, type KernelSystem, type SystemMark } from "../formats/elf/system.js";
import type { Image } from "../formats/index.js";
import { LINUX_COMMAND_LINE_SIZE } from "../spec/boot-params.js";

/** A command line for a kernel that was given none. */
export interface DefaultCommandLine {
  readonly text: string;
  /** For people: why these words. */
  readonly why: string;
}

/** What is known of one system. */
interface SystemRules {
  /** Words that show its console here; empty where none can. */
  readonly words: string;
  /** Finds out whether a command line says where the console is. Absent: the kernel may know it by itself. */
  readonly console?: RegExp;
  /** Bytes of the command line in which it looks for words. */
  readonly parsed?: number;
  /** Bytes of the command line that it keeps. */
  readonly kept?: number;
}

export const SYSTEM_RULES: Readonly<Record<KernelSystem, SystemRules>> = {
  Linux: {
    words: "console=ttyS0",
    console: /(^|\s)(console|earlyprintk|earlycon)(=|\s|$)/,
    kept: LINUX_COMMAND_LINE_SIZE - 1,
  },
  // A boot loader would bring these from device.hints and loader.conf; there is none.
  FreeBSD: { words: "boot_serial=1 hw.uart.console=io:0x3f8" },
  NetBSD: { words: "console=com", console: /(^|\s)console=com/, parsed: 255, kept: 1023 },
  // Its consoles are told by its own boot loader's arguments, not by words.
  OpenBSD: { words: "" },
  Xen: { words: "console=com1 com1=115200,8n1", console: /(^|\s)console=/ },
  "GNU Mach": { words: "console=com0", console: /(^|\s)console=/ },
};

/** The system of a kernel, by its marks or the texts in it; undefined when nothing tells. */
export function systemOf(image: Image): SystemMark | undefined {
  const marked = image.format === "elf" ? systemByMarks(image) : undefined;
  return marked ?? systemByText(image.bytes);
}

/** The words that show this system's console; undefined when nothing is known to. */
export function consoleWords(mark: SystemMark | undefined): DefaultCommandLine | undefined {
  if (mark === undefined) return undefined;
  const { words } = SYSTEM_RULES[mark.system];
  if (words === "") return undefined;
  return { text: words, why: `a ${mark.system} kernel (by ${mark.by}) shows its console by these words` };
}

/**
 * What is wrong with a command line for a kernel of this system, as warnings.
 * @param screen whether the machine has one: the console may be there then.
 */
export function commandLineWarnings(
  system: KernelSystem | undefined,
  commandLine: string,
  screen: boolean,
): string[] {
  if (system === undefined) return [];
  const { words, console: tells, parsed, kept } = SYSTEM_RULES[system];
  const encoded = new TextEncoder().encode(commandLine);
  const warnings: string[] = [];
  if (kept !== undefined && encoded.length > kept)
    warnings.push(`${system} keeps the first ${kept} bytes of the command line; it has ${encoded.length}`);
  else if (parsed !== undefined && encoded.length > parsed)
    warnings.push(`${system} looks for options in the first ${parsed} bytes of the command line only`);
  const read = new TextDecoder().decode(encoded.subarray(0, parsed ?? kept));
  if (!screen && tells !== undefined && !tells.test(read)) {
    const where = parsed === undefined ? "the command line" : `the first ${parsed} bytes of the command line`;
    warnings.push(
      `${where} has no ${words.split(" ")[0]}: what this ${system} kernel prints goes to a screen that is not there`,
    );
  }
  return warnings;
}

/** Warns of a command line that leaves this system's kernel without a console of ours, or is cut off. */
export function warnOfCommandLine(
  system: KernelSystem | undefined,
  context: { commandLine: string; vga?: boolean; warn(text: string): void },
): void {
  for (const text of commandLineWarnings(system, context.commandLine, context.vga === true))
    context.warn(text);
}
