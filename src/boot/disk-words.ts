/** What a kernel is told because of a disk that is booted from: where its root is, and our console beside what the disk's own line says. */
import type { KernelSystem } from "../formats/elf/system.js";
import type { DiskRoots } from "./disk-root.js";
import type { BootOptions } from "./options.js";
import type { PlanAddition } from "./plan.js";
import { namesRoot, says, wordsAt, type ConsolePlaces } from "./systems.js";

/** What is known of a disk. Plain data. */
export interface DiskHints {
  /** Its file, for people. */
  readonly name: string;
  /** Where the root file system is, as each system is told. */
  readonly roots: DiskRoots;
  /** The kernel, the initrd and the command line are what the disk itself would boot. */
  readonly own?: {
    /** `2/boot/vmlinuz with 2/boot/initrd.img` */
    readonly what: string;
    readonly why: string;
    /** The command line is the disk's, too: nobody gave one. */
    readonly line: boolean;
  };
}

interface Told extends ConsolePlaces {
  /** The kernel's, where it is known. */
  system: KernelSystem | undefined;
  /** The command line where nobody gave one. */
  said: string | undefined;
  /** Is told of a root that is missing. */
  warn: (text: string) => void;
}

/** What follows from a disk. */
export interface OnDisk {
  /** To be added to the command line, in this order. */
  readonly words: readonly string[];
  /** They, and what was chosen on the disk, as a plan has it. */
  readonly added: readonly PlanAddition[];
}

/** The words to add, and what was chosen on the disk; never a word that is there already. */
export function diskWords({ disk, commandLine, initrd }: BootOptions, told: Told): OnDisk {
  if (disk === undefined) return { words: [], added: [] };
  const { name, roots, own } = disk;
  const { system, warn } = told;
  const line = commandLine ?? told.said ?? "";
  const words: [text: string, why: string][] = [];
  const root = system && roots[system];
  // A disk's own line that says no root leaves it to its initrd.
  const leftToInitrd = own?.line === true && initrd !== undefined;
  if (system !== undefined && !leftToInitrd && !namesRoot(system, line)) {
    if (root === undefined)
      warn(`no root file system of ${system} was found on ${name}: the kernel is told none`);
    else words.push([root.text, root.why]);
  }
  const console = system && own?.line === true ? wordsAt(system, told) : undefined;
  if (console !== undefined && !says(line, console))
    words.push([
      console,
      `the disk's own command line shows no console on ${told.virtioConsole === true ? "hvc0" : "the serial port"}`,
    ]);
  const chosen: PlanAddition[] =
    own === undefined ? [] : [{ what: `kernel ${own.what}`, why: own.why, told: true }];
  const added = words.map(([text, why]): PlanAddition => ({
    what: `command line "${text}"`,
    why,
    told: true,
  }));
  return { words: words.map(([text]) => text), added: [...chosen, ...added] };
}
