/** The options by which a run is saved. */
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import type { SavingRequest } from "../host/node/saving.js";
import type { ShareRequest } from "../host/node/share-request.js";
import type { SnapshotPoint } from "../host/run.js";
import { UsageError, type Arguments, type OptionSpec } from "./args.js";
import { OutputFileError } from "./failure.js";
import { packageVersion } from "./version.js";
import { parseDuration } from "./values.js";

export const SNAPSHOT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "snapshot-at",
    value: "WHERE",
    help:
      "save the machine there: a whole number is instructions, 30s or 500ms the machine's clock, anything else a text on the " +
      "console (text:TEXT for one that looks like these)",
  },
  {
    name: "snapshot",
    value: "FILE",
    help: "the file that --snapshot-at and Ctrl-A s save to; without it, a new one by the time",
  },
  {
    name: "then",
    value: "WHAT",
    choices: ["stop", "go"],
    help: "what comes behind --snapshot-at: stop (status 0, the default) or go on",
  },
  { name: "compress", help: "pack what is saved: smaller, and slower to save and to restore" },
];

const NS_PER_MS = 1e6;
const TEXT_PREFIX = "text:";
const DURATION = /^\d+(\.\d+)?(ms|s|m|h)$/;
const COUNT = /^\d+$/;

function readPoint(given: string): SnapshotPoint {
  const text = given.startsWith(TEXT_PREFIX) ? given.slice(TEXT_PREFIX.length) : given;
  if (text === "")
    throw new UsageError("--snapshot-at: found no text", "give a text, a number of instructions, or a time");
  if (text !== given) return { kind: "text", text };
  if (DURATION.test(text)) return { kind: "clock", ns: parseDuration("--snapshot-at", text) * NS_PER_MS };
  if (!COUNT.test(text)) return { kind: "text", text };
  const count = Number(text);
  if (Number.isSafeInteger(count)) return { kind: "instructions", count };
  throw new UsageError(`--snapshot-at ${text}: more instructions than any run has`, "text:… for a text");
}

/** Refuses a point at which a machine with shared folders would be saved. Throws UsageError. */
export function refuseSavingShares(
  { sharedFolders = [] }: { sharedFolders?: readonly ShareRequest[] },
  { saving }: { saving?: SavingRequest },
): void {
  if (saving?.at === undefined || sharedFolders.length === 0) return;
  const [{ folder, tag }] = sharedFolders;
  throw new UsageError(
    `--snapshot-at: a machine that shares a folder cannot be saved; found --share ${folder} (${tag})`,
    "copy what the guest needs into the initrd, or onto a disk",
  );
}

/** Refuses a file that could not be written, before a guest has run for it. Throws OutputFileError. */
function checkPlace(file: string): void {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(path.dirname(file), constants.W_OK);
  } catch (cause) {
    throw new OutputFileError("snapshot", file, cause);
  }
}

/** Reads `SNAPSHOT_OPTIONS`. Throws UsageError, OutputFileError. */
export function readSnapshotOptions(args: Arguments): SavingRequest {
  const [at, file, then] = [args.value("snapshot-at"), args.value("snapshot"), args.value("then")];
  if (file === "" || file?.startsWith("-") === true)
    throw new UsageError(
      `--snapshot: found "${file}"; expected the name of a file`,
      "QEMU's flag -snapshot is about disks: leave it out",
    );
  if (then !== undefined && at === undefined)
    throw new UsageError(`--then ${then}: there is no --snapshot-at`, "--then says what comes behind it");
  if (file !== undefined) checkPlace(file);
  return {
    then: then === "go" ? "go" : "stop",
    compress: args.has("compress"),
    locore: packageVersion(),
    ...(file !== undefined && { file }),
    ...(at !== undefined && { at: readPoint(at) }),
  };
}
