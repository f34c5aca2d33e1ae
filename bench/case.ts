/**
 * What a benchmark is, whatever it boots: files for a boot, spans of time between lines of its console, and a check of
 * what was computed. The harness runs it on every peer that can.
 */
import type { Run } from "./measure.js";
import type { Boot, Monitor } from "./peers.js";

export type Group =
  "compute" | "boot" | "workload" | "smp" | "disk" | "share" | "net" | "run" | "instruction";

/** One figure: the time between two console lines. */
export interface Span {
  name: string;
  what: string;
  /** Absent: from the start of the process. */
  from?: string;
  to: string;
  /** Which bars apply. */
  bar:
    | "integer"
    | "float"
    | "storm"
    | "boot"
    | "boot-v86"
    | "workload"
    | "disk"
    | "share"
    | "net"
    | "run"
    | "none";
}

/** A case that cannot run here says why. */
export interface Skipped {
  skip: string;
}

export interface Case {
  group: Group;
  name: string;
  spans: readonly Span[];
  monitors: readonly Monitor[];
  /** Of locore's variants only the product as it comes: the others would tell nothing more, slowly. */
  productOnly?: boolean;
  /** The console line at which a run is over; absent where the guest ends its machine. */
  until?: string;
  /** Writes the files into `folder`. */
  prepare(folder: string): Promise<Boot | Skipped>;
  /** What the guest computed wrongly in a run that ended in time, by span. */
  wrong(run: Run): Map<string, string>;
}
