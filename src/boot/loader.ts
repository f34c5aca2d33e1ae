/**
 * What a loader is (R1.1): a plug-in that recognises an image and then has two duties, to lay out memory and to
 * describe the boot CPU. Adding a boot protocol means one folder and one line in `registry.ts`. A loader never
 * touches a CPU, an engine or a device.
 */
import type { FwCfgItem } from "../firmware/fw-cfg.js";
import type { Image } from "../formats/index.js";
import type { RegionMap } from "../memory/regions.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { BootFault } from "./boot-error.js";
import type { BootOptions } from "./options.js";
import type { DefaultCommandLine, SerialConsole } from "./systems.js";

/** An option that a loader takes behind "loader.". */
export interface LoaderOptionSpec {
  /** What may stand there; absent when any text may. */
  values?: readonly string[];
  help: string;
}

/** What is known before memory is laid out; `memory` bounds what is worth unpacking. */
export interface RecogniseContext extends Required<Pick<BootOptions, "memory">> {
  /** The loader's own. */
  options: NonNullable<BootOptions["loader"]>;
  /** Number of boot modules; a loader without `takesModules` refuses any. */
  modules?: number;
  /** Whether a BIOS will run before the image. */
  firmware?: boolean;
  /** Whether the machine has a VGA in text mode. */
  vga?: boolean;
}

/** Whether a loader takes an image. */
export type Recognition = Accepted | Refused;

export interface Accepted {
  fits: true;
  why: string;
  protocol: BootProtocol;
}

export interface Refused {
  fits: false;
  fault: BootFault;
  /** The loader is for other kinds of files: its reason says little about this one. */
  otherFormat?: true;
}

export interface Loader {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly options: Readonly<Record<string, LoaderOptionSpec>>;
  /** Whether its protocol hands boot modules to the kernel. */
  readonly takesModules?: true;
  /** It reads a format of its own: it is also asked about files that no reader takes ("foreign" images). */
  readonly readsForeign?: true;
  /** Must not change anything. May throw FormatError for an image that is broken. */
  recognise(image: Image, context: RecogniseContext): Recognition;
}

/**
 * What the machine hands to a loader: what was asked for, with the words that nobody gave in `commandLine` (it has no NUL), and
 * the memory, where firmware's regions are claimed already. The initrd is none of `modules`.
 */
export interface LoadContext
  extends Pick<BootOptions, "initrd">, Required<Pick<BootOptions, "commandLine" | "modules">> {
  memory: RegionMap;
  /** The kernel file's name, as the caller gave it. */
  kernelName: string;
  /** Guest-physical; 0 when a BIOS runs first and places it where the guest is to look for it. */
  rsdpAddress: number;
  /** Whether the machine has a VGA in text mode. */
  vga?: boolean;
  /** The serial port that is the machine's console. */
  serial?: SerialConsole;
  /** Whether its console is hvc0, port 0 of a virtio console. */
  virtioConsole?: boolean;
  /** For things a person should know. */
  warn(text: string): void;
}

/** One image, recognised, about to be booted by one protocol. */
export interface BootProtocol {
  /** The kernel's command line where none is given; empty when absent. */
  readonly defaultCommandLine?: DefaultCommandLine | undefined;
  /** How the image is entered, for people: "64-bit entry". */
  readonly entry: string;
  /** The image is the machine's firmware: it lies below 4 GiB, and nothing is handed to it in memory. */
  readonly isFirmware?: true;
  /** Duty 1: claims and fills memory. Called once. Throws BootError, MemoryMapError, FormatError. */
  layOutMemory(context: LoadContext): void;
  /** Duty 2: the CPU at the first instruction. Called after `layOutMemory`. */
  describeBootCpu(): CpuState;
  /** Numbered fw_cfg items by which firmware that loads kernels itself finds this one. Called after `layOutMemory`. */
  firmwareItems?(): FwCfgItem[];
}
