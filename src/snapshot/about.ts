/** What is told of a snapshot without restoring it. */
import { bool, list, natural, oneOf, record, text, whole, type Shape } from "../bytes/shape.js";
import { lengthOf, type SavedAccess, type SavedDisk } from "./disks.js";
import type { Machine } from "../machine/machine.js";

const LONGEST_TEXT = 0x10000;
const MOST_CPUS = 1024;
const MOST_DISKS = 1024;
/** The last moment that a Date can be, ms since 1970. */
const LAST_TIME = 8.64e15;

export interface SnapshotAbout {
  /** Version of the program that saved it. */
  locore: string;
  /** When, ms since 1970 UTC. */
  savedAt: number;
  /** The kernel's file, what it is, and what booted it. */
  kernel: string;
  summary: string;
  loader: string;
  commandLine: string;
  cpus: number;
  /** RAM, bytes. */
  memory: number;
  deterministic: boolean;
  /** The machine's clock, ns since power-on. */
  clockNs: number;
  /** Executed by all CPUs. */
  instructions: number;
  /** Whether a reset can restart the machine: what the plan fills RAM with is in the snapshot. */
  restarts: boolean;
  /** Those that have to be given again, in this order. */
  disks: AboutDisk[];
}

export interface AboutDisk {
  /** By which parts know it. */
  name: string;
  /** Its file, as it was given. */
  file: string;
  access: SavedAccess;
  /** Bytes. */
  size: number;
  /** Bytes of it that are in the snapshot. */
  inMemory: number;
}

export const aboutShape: Shape<SnapshotAbout> = record<SnapshotAbout>({
  locore: text(LONGEST_TEXT),
  savedAt: whole(0, LAST_TIME),
  kernel: text(LONGEST_TEXT),
  summary: text(LONGEST_TEXT),
  loader: text(LONGEST_TEXT),
  commandLine: text(LONGEST_TEXT),
  cpus: whole(1, MOST_CPUS),
  memory: natural,
  deterministic: bool,
  clockNs: natural,
  instructions: natural,
  restarts: bool,
  disks: list(
    record<AboutDisk>({
      name: text(LONGEST_TEXT),
      file: text(LONGEST_TEXT),
      access: oneOf("memory", "write", "read"),
      size: natural,
      inMemory: natural,
    }),
    { max: MOST_DISKS },
  ),
});

/** What there is to tell of a machine that is saved now. */
export function aboutMachine(
  machine: Machine,
  { locore, savedAt, disks }: { locore: string; savedAt: number; disks: readonly SavedDisk[] },
): SnapshotAbout {
  const { plan } = machine;
  const { instructions, clockNs } = machine.stats();
  return {
    locore,
    savedAt: Math.floor(savedAt),
    kernel: plan.image.name,
    summary: plan.image.summary,
    loader: `${plan.loader.name}, ${plan.loader.entry}`,
    commandLine: plan.commandLine,
    cpus: plan.cpus,
    memory: plan.ram.reduce((sum, { size }) => sum + size, 0),
    deterministic: machine.deterministic,
    clockNs,
    instructions,
    restarts: plan.regions.length > 0,
    disks: disks.map(({ name, file, access, size, written }) => ({
      name,
      file,
      access,
      size,
      inMemory: lengthOf(written),
    })),
  };
}
