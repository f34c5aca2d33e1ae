/**
 * What each system's kernel wants to be told, as one table: the words that show its console on the serial port, and how
 * much of a command line it reads. Loaders take their default words and their warnings from here.
 *
 * Sources: FreeBSD sys/x86/xen/pv.c, sys/kern/subr_boot.c, uart(4); NetBSD sys/arch/xen/x86/xen_machdep.c; Linux
 * Documentation/admin-guide/serial-console.rst, arch/x86/include/asm/setup.h; Xen docs/misc/xen-command-line.pandoc;
 * GNU Mach i386/i386at/com.c, i386/i386at/autoconf.c.
 */
import { hex } from "../bytes/hex.js";
import { systemByMarks, systemByText, type KernelSystem, type SystemMark } from "../formats/elf/system.js";
import type { Image } from "../formats/index.js";
import { LINUX_COMMAND_LINE_SIZE } from "../spec/boot-params.js";
import { comNumber, ISA_IRQ, PC_PORTS } from "../spec/pc-ports.js";

/** A command line for a kernel that was given none. */
export interface DefaultCommandLine {
  /** With the console at COM1. */
  readonly text: string;
  /** For people: why these words. */
  readonly why: string;
  /** Whose words these are: they follow a console that stands elsewhere. Absent: the text is taken as it is. */
  readonly system?: KernelSystem;
}

/** The serial port that a machine's console is. */
export interface SerialConsole {
  /** Its first port. */
  readonly port: number;
  /** Its ISA interrupt. */
  readonly irq: number;
}

const COM1: SerialConsole = { port: PC_PORTS.com1.start, irq: ISA_IRQ.com1 };
const SPEED = "115200,8n1";
/** Interrupts of COM1 and COM2, which Xen has built in; it knows no others by their numbers. */
const XEN_IRQS: readonly (number | undefined)[] = [ISA_IRQ.com1, ISA_IRQ.com2];

/** Where the machine's console is. */
export interface ConsolePlaces {
  /** The serial port that it is, if one is. */
  readonly serial?: SerialConsole | undefined;
  /** Whether it is hvc0, port 0 of a virtio console. */
  readonly virtioConsole?: boolean;
}

/** What is known of one system. */
interface SystemRules {
  /** Words that show its console on a serial port; undefined where no word can say that it is there, or none is known at all. */
  readonly words: (serial: SerialConsole) => string | undefined;
  /** Words that show it on port 0 of a virtio console; absent where the kernel prints to none. */
  readonly virtioWords?: string;
  /** Finds out whether a command line says where the console is. Absent: the kernel may know it by itself. */
  readonly console?: RegExp;
  /** Finds out whether a command line says where the root file system is; absent: by "root=". */
  readonly root?: RegExp;
  /** Bytes of the command line in which it looks for words. */
  readonly parsed?: number;
  /** Bytes of the command line that it keeps. */
  readonly kept?: number;
}

export const SYSTEM_RULES: Readonly<Record<KernelSystem, SystemRules>> = {
  Linux: {
    words: ({ port }) => {
      const number = comNumber(port);
      return number === undefined ? `console=uart,io,${hex(port)},115200` : `console=ttyS${number - 1}`;
    },
    virtioWords: "console=hvc0",
    console: /(^|\s)(console|earlyprintk|earlycon)(=|\s|$)/,
    kept: LINUX_COMMAND_LINE_SIZE - 1,
  },
  // A boot loader would bring these from device.hints and loader.conf; there is none.
  FreeBSD: {
    words: ({ port }) => `boot_serial=1 hw.uart.console=io:${hex(port)}`,
    root: /(^|[\s,])vfs\.root\.mountfrom=/,
  },
  // Where "com" is, is built in.
  NetBSD: {
    words: ({ port }) => (port === COM1.port ? "console=com" : undefined),
    console: /(^|\s)console=com/,
    parsed: 255,
    kept: 1023,
  },
  // Its consoles are told by its own boot loader's arguments, not by words.
  OpenBSD: { words: () => undefined },
  Xen: {
    words: ({ port, irq }) => {
      const number = comNumber(port) ?? 0;
      if (XEN_IRQS[number - 1] === irq) return `console=com${number} com${number}=${SPEED}`;
      return `console=com1 com1=${SPEED},${hex(port)},${irq}`;
    },
    console: /(^|\s)console=/,
  },
  // It knows the ports of the first two.
  "GNU Mach": {
    words: ({ port }) => {
      const number = comNumber(port) ?? Infinity;
      return number <= 2 ? `console=com${number - 1}` : undefined;
    },
    console: /(^|\s)console=/,
  },
  // Unikernels: the line is the application's, the console is built in.
  Solo5: { words: () => undefined },
  Hermit: { words: () => undefined },
  Unikraft: { words: () => undefined },
};

/** The system of a kernel, by its marks or the texts in it; undefined when nothing tells. */
export function systemOf(image: Image): SystemMark | undefined {
  const marked = image.format === "elf" ? systemByMarks(image) : undefined;
  return marked ?? systemByText(image.bytes);
}

/** The words that show this system's console; undefined when nothing is known to. */
export function consoleWords(mark: SystemMark | undefined): DefaultCommandLine | undefined {
  if (mark === undefined) return undefined;
  const { system, by } = mark;
  const text = SYSTEM_RULES[system].words(COM1);
  if (text === undefined) return undefined;
  return { text, system, why: `a ${system} kernel (by ${by}) shows its console by these words` };
}

/** The words that show a system's console where it is; undefined where there are none. */
export function wordsAt(system: KernelSystem, { serial, virtioConsole }: ConsolePlaces): string | undefined {
  const { words, virtioWords } = SYSTEM_RULES[system];
  return (virtioConsole === true ? virtioWords : undefined) ?? (serial && words(serial));
}

/**
 * The words that nobody gave, on a machine whose console is there; undefined where it has none, or no words reach it.
 * `warn` is told of words that there are not.
 */
export function wordsFor(
  usual: DefaultCommandLine | undefined,
  places: ConsolePlaces,
  warn: (text: string) => void,
): DefaultCommandLine | undefined {
  if (usual?.system === undefined) return usual;
  const { serial } = places;
  const text = wordsAt(usual.system, places);
  if (text !== undefined) return { ...usual, text };
  const missing =
    serial === undefined
      ? "the machine has no serial port that is its console: what the kernel prints there is lost"
      : `the console is the serial port at ${hex(serial.port)}: no words are known that show it to a ${usual.system} kernel`;
  warn(missing);
  return undefined;
}

/**
 * What is wrong with a command line for a kernel of this system, as warnings.
 * @param screen whether the machine has one: the console may be there then.
 * @param places where its console is; its serial port, if nothing is said of one, is COM1.
 */
export function commandLineWarnings(
  system: KernelSystem | undefined,
  commandLine: string,
  screen: boolean,
  places: ConsolePlaces = {},
): string[] {
  if (system === undefined) return [];
  const { virtioWords, console: tells, parsed, kept } = SYSTEM_RULES[system];
  const { serial = COM1, virtioConsole = false } = places;
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
      `${where} has no ${(wordsAt(system, { serial, virtioConsole }) ?? "console=").split(" ")[0]}: what this ${system} kernel prints goes to a screen that is not there`,
    );
  } else if (virtioConsole && virtioWords === undefined) {
    warnings.push(
      `no words are known that show a virtio console to a ${system} kernel; keys go to it all the same`,
    );
  } else if (virtioConsole && !says(read, virtioWords!)) {
    warnings.push(
      `the command line has no ${virtioWords}: keys go to hvc0, this ${system} kernel's console is elsewhere`,
    );
  }
  return warnings;
}

/** Whether a line has the first of some words, with or without values behind a comma. */
export function says(line: string, words: string): boolean {
  const [first] = words.split(/[ ,]/);
  return line.split(/\s+/).some((one) => one === first || one.startsWith(`${first},`));
}

/** Whether a command line ends before what stands behind it: what follows "--" is init's. */
export function endsBefore(system: KernelSystem | undefined, commandLine: string): boolean {
  return system === "Linux" && /(^|\s)--(\s|$)/.test(commandLine);
}

/** Whether a command line says itself where the root file system is. */
export function namesRoot(system: KernelSystem, commandLine: string): boolean {
  return (SYSTEM_RULES[system].root ?? /(^|\s)root=/).test(commandLine);
}

/** Warns of a command line that leaves this system's kernel without a console of ours, or is cut off. */
export function warnOfCommandLine(
  system: KernelSystem | undefined,
  context: ConsolePlaces & { commandLine: string; vga?: boolean; warn(text: string): void },
): void {
  const { commandLine, vga = false } = context;
  for (const text of commandLineWarnings(system, commandLine, vga, context)) context.warn(text);
}
