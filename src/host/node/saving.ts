/** How the machine's thread saves a run: to which file, what is told, and what comes then. */
import { writeFileSync } from "node:fs";
import { machineEnd, type MachineEnd } from "../../machine/end.js";
import type { SaveOptions, SnapshotPoint } from "../run.js";
import type { WorkerSide } from "../shared.js";
import type { Machine } from "../../machine/machine.js";
import type { ConsoleWatchState } from "../../diagnose/console-watch.js";
import { SaveError } from "../../machine/state.js";
import { copyMachine } from "../../snapshot/write.js";
import { saveToFile } from "./snapshot-file.js";
import type { Disks } from "./disks.js";
import type { WorkerMessage } from "./messages.js";

/** What is asked of a run about snapshots. */
export interface SavingRequest {
  /** Absent: a name by the time, in the working folder. */
  file?: string;
  at?: SnapshotPoint;
  /** What comes behind `at`. */
  then: "stop" | "go";
  compress: boolean;
  /** Version of the program, which the file names. */
  locore: string;
}

/** What is asked of a run about copies. */
export interface CopyingRequest {
  /** Version of the program. */
  locore: string;
  /** Bytes of pages that a copy may have. */
  most: number;
}

const FIRST_OF_TIME = "-T:";
const NAME_LENGTH = "20261121083000".length;

/** "locore-20261121083000.snap", in UTC. */
function nameByTime(now: Date): string {
  const digits = [...now.toISOString()].filter((one) => !FIRST_OF_TIME.includes(one)).join("");
  return `locore-${digits.slice(0, NAME_LENGTH)}.snap`;
}

/** The options of a run that saves as `request` says; a request from main is heard through `side`. `disks`: those of the machine. */
export function savingOptions(
  request: SavingRequest,
  {
    side,
    tell,
    disks,
  }: {
    side: WorkerSide;
    tell: (message: WorkerMessage, moved?: ArrayBuffer[]) => void;
    disks: Disks | undefined;
  },
): SaveOptions {
  const { at, then, compress, locore } = request;
  return {
    ...(at && { at }),
    asked: () => side.takeSaveRequest(),
    save(machine, watch, why): MachineEnd | undefined {
      const file = (why === "asked" ? side.saveFile : undefined) ?? request.file ?? nameByTime(new Date());
      const begun = performance.now();
      try {
        const bytes = saveToFile(file, machine, {
          locore,
          savedAt: Date.now(),
          watch,
          compress,
          ...(disks && { disks: () => disks.save() }),
        });
        tell({ kind: "saved", file, bytes, ms: performance.now() - begun });
      } catch (error) {
        if (error instanceof SaveError) throw error;
        tell({ kind: "not-saved", file, reason: (error as Error).message });
        return why === "point" ? machineEnd("io-error", "snapshot", (error as Error).message) : undefined;
      }
      return why === "point" && then === "stop" ? machineEnd("saved", "snapshot", file) : undefined;
    },
  };
}

/**
 * The options of a run of which main gets a copy when it asks for one: the machine stands still for as long as copying its memory takes,
 * and main writes it while the guest goes on.
 */
export function copyingOptions(
  { locore, most }: CopyingRequest,
  { side, tell }: { side: WorkerSide; tell: (message: WorkerMessage, moved?: ArrayBuffer[]) => void },
): SaveOptions {
  return {
    asked: () => side.takeSaveRequest(),
    save(machine, watch): undefined {
      const begun = performance.now();
      try {
        const begunCopying = (): void => tell({ kind: "copying" });
        const copy = copyMachine(machine, { locore, savedAt: Date.now(), watch, most, begun: begunCopying });
        if (copy === undefined) tell({ kind: "not-copied", reason: `more than ${most} bytes` });
        else tell({ kind: "copied", copy, ms: performance.now() - begun }, [copy.pages.buffer]);
      } catch (error) {
        if (error instanceof SaveError) throw error;
        tell({ kind: "not-copied", reason: (error as Error).message });
      }
    },
  };
}

/**
 * The options of a run that is saved to files, of which main gets a copy, or both: then who asks and names no file is given a copy. Undefined:
 * nobody asks.
 */
export function snapshotOptions(
  { saving, copying }: { saving?: SavingRequest; copying?: CopyingRequest },
  ways: Parameters<typeof savingOptions>[1],
): SaveOptions | undefined {
  const files = saving && savingOptions(saving, ways);
  const copies = copying && copyingOptions(copying, ways);
  if (files === undefined || copies === undefined) return files ?? copies;
  return {
    ...files,
    save(machine, watch, why) {
      const wanted = why === "asked" && ways.side.saveFile === undefined ? copies : files;
      return wanted.save(machine, watch, why);
    },
  };
}

/** A command that saves a machine to a file of its user's choice between two steps; it gives what to say. */
export function snapshotCommand(
  { compress, locore }: SavingRequest,
  machine: Machine,
  watch: () => ConsoleWatchState,
  disks: Disks | undefined,
): (file: string) => string {
  return (file) => {
    try {
      const bytes = saveToFile(file, machine, {
        locore,
        savedAt: Date.now(),
        watch: watch(),
        compress,
        ...(disks && { disks: () => disks.save() }),
      });
      return `saved to ${file}, ${bytes} bytes`;
    } catch (error) {
      return `not saved: ${(error as Error).message}`;
    }
  };
}

/** Writes a file, over one that is there. Throws the host's errors. */
export function writeFile(file: string, bytes: Uint8Array): void {
  writeFileSync(file, bytes);
}
