/**
 * What a caller asks for: files, sizes, and the loader's own options. One shape all the way: `cli/` makes it of the command line
 * with paths for files, reads them, and loaders take from it what is theirs. Nothing here knows how a command line is spelled.
 */
import type { PartRequest } from "../devices/part.js";
import type { MmioVersion } from "../devices/virtio/mmio-transport.js";
import type { ShareCache, ShareProtocol } from "../share/share-options.js";
import type { FeatureName } from "../spec/cpuid.js";
import type { AnnounceBy } from "./announce-ways.js";
import type { DiskHints } from "./disk-words.js";

/** A file the caller has read. */
export interface NamedBytes {
  /** For messages: a path as a rule. */
  name: string;
  bytes: Uint8Array;
}

/** A boot module: a file that the kernel is handed as it is. */
export interface BootModule extends NamedBytes {
  /** Its own command line, without the file's name; empty when absent. */
  commandLine?: string;
}

/** A disk as a plan has it; its bytes are handed to the machine that runs (`MachineOptions.disks`). */
export interface BootDisk {
  /** Of 512 bytes. */
  sectors: number;
  readOnly: boolean;
  /** What the guest is told as its serial number; at most 20 bytes. */
  serial: string;
}

/** The name of the `index`th disk. */
export function diskName(index: number): string {
  return `disk${index}`;
}

/** A shared folder as a plan has it; what is in it is handed to the machine that runs (`MachineOptions.shares`). */
export interface BootShare {
  /** What the guest mounts it by: 1 to 36 bytes. */
  tag: string;
  readOnly: boolean;
  /** What the guest may remember of it. */
  cache: ShareCache;
  /** Absent: virtiofs. */
  protocol?: ShareProtocol;
}

/** The name of the `index`th share. */
export function shareName(index: number): string {
  return `share${index}`;
}

/** A network card as a plan has it; what it is plugged into is handed to the machine that runs (`MachineOptions.nets`). */
export interface BootNet {
  /** Its address: six pairs of hexadecimal digits. */
  mac: string;
  /** The longest packet, bytes: 1500 to 65520. */
  mtu: number;
  /** Pairs of queues, 1 to 8; absent: one. */
  queues?: number;
}

/** The name of the `index`th network. */
export function netName(index: number): string {
  return `net${index}`;
}

/**
 * Input of `buildPlan`. What is absent has the default that `defaults.ts` explains. `File` and `Module` are what files and boot
 * modules are: read, or not yet.
 */
export interface BootOptions<File = NamedBytes, Module = BootModule> {
  kernel: File;
  /** Initial RAM disk. */
  initrd?: File;
  /** Boot modules in order. Where a protocol has no word for an initrd, the initrd is the first of them. */
  modules?: readonly Module[];
  /** Kernel command line. Absent: the protocol's `defaultCommandLine`. */
  commandLine?: string;
  /** Guest RAM, bytes; a multiple of 4 KiB. */
  memory?: number;
  /** 1 to `MAXIMUM_CPUS`. */
  cpus?: number;
  clock?: ClockOptions;
  /**
   * Firmware that runs before the kernel, as on a PC: POST first, then its boot hands over to the kernel. Absent: the
   * loader enters the kernel without any.
   */
  bios?: File;
  /** A VGA BIOS for firmware to run, which makes INT 10h write to the screen; the machine has a VGA then. */
  vgaRom?: File;
  /** A VGA in text mode, whose screen can be read. */
  screen?: boolean;
  /** The machine's parts, all of them. Absent: the usual ones. */
  devices?: readonly PartRequest[];
  /** Parts beside these. */
  moreDevices?: readonly PartRequest[];
  /** Disks, in the order that the guest finds them: "disk0", "disk1", … */
  disks?: readonly BootDisk[];
  /** Shared folders: "share0", "share1", … */
  shares?: readonly BootShare[];
  /** Network cards: "net0", "net1", … */
  nets?: readonly BootNet[];
  /** What is known of a disk that is booted from. */
  disk?: DiskHints;
  /** Where the machine's console is: its serial port, or port 0 of a virtio console, hvc0 to Linux. Absent: the serial port. */
  console?: ConsolePlace;
  /** A virtio source of entropy. */
  rng?: boolean;
  /** A virtio balloon that asks the guest for so many bytes, a multiple of 4 KiB; with 0 it hears of free pages. Absent: none. */
  balloon?: number;
  /** The device of suites of unit tests for hypervisors. */
  testdev?: boolean;
  /** How the kernel is told of virtio devices. Absent: as its system finds them best. */
  announce?: AnnounceBy;
  /** Whether the machine has ACPI tables; absent: it has. */
  acpi?: boolean;
  /** What virtio devices are like that do not say so themselves. */
  virtio?: VirtioOptions;
  /** CPU features to switch on or off against the defaults. */
  features?: Partial<Record<FeatureName, boolean>>;
  /** Loader options without their "loader." prefix: `{ name: "pvh", entry: "32" }`. */
  loader?: LoaderOptions;
}

/** What a machine's console can be. */
export const CONSOLE_PLACES = ["serial", "hvc0"] as const;
export type ConsolePlace = (typeof CONSOLE_PLACES)[number];

export interface VirtioOptions {
  /** Of their registers: 2, or the legacy 1. Absent: 2. */
  version?: MmioVersion;
}

export interface ClockOptions {
  /** Instruction count drives time, `nsPerInstruction` each. Absent: the host's time. */
  deterministic?: { nsPerInstruction: number };
  /** What the real-time clock shows at power-on, seconds since 1970-01-01 UTC. */
  rtcStart?: number;
}

/**
 * `name` chooses the loader; the others are the loader's own, as its `options` describe. A value may be absent
 * so that callers can pass what they have.
 */
export type LoaderOptions = Readonly<Record<string, string | undefined>>;
