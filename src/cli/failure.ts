/**
 * What went wrong, as a person reads it, and the exit status it has. One table from error types to statuses; a
 * type that is not in it is a bug of ours and says so.
 */
import { ERRNO_WORDS } from "../spec/errno.js";
import { existsSync } from "node:fs";
import path from "node:path";
import type { GuestError, GuestFault } from "../guests/index.js";
import { SessionError } from "../host/node/session.js";
import { EngineUnavailable } from "../host/node/engines.js";
import { EXIT_STATUS } from "../machine/end.js";
import { UsageError } from "./args.js";

/** An error of the host's files in plain words. */
export function fileReason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  return ERRNO_WORDS[code ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));
}

/** A file that was named on the command line cannot be read. `what` it was to be: "kernel". */
export class InputFileError extends Error {
  constructor(what: string, file: string, cause: unknown) {
    super(`${what} ${file}: ${fileReason(cause)}`);
    this.name = "InputFileError";
  }
}

/** A file is not what it was when a plan was made of it. */
export class ChangedFileError extends Error {
  override readonly name = "ChangedFileError";
  constructor(file: string) {
    super(
      `${file}: found other bytes than those that the plan was made from; expected its SHA-256 in the plan's request. ` +
        "Take the old file, or delete that sha256 to plan with the new one.",
    );
  }
}

/** A file that was named on the command line cannot be written. `what` it was to be: "log file". */
export class OutputFileError extends Error {
  constructor(what: string, file: string, cause: unknown) {
    const folder = path.dirname(file);
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT" && !existsSync(folder);
    super(`${what} ${file}: ${missing ? `there is no folder ${folder}` : fileReason(cause)}`);
    this.name = "OutputFileError";
  }
}

/** Statuses by the name of an error. Names, because errors of the machine's thread come as data. */
const STATUSES: Readonly<Record<string, number>> = {
  UsageError: EXIT_STATUS.usage,
  OptionError: EXIT_STATUS.usage,
  ConvertError: EXIT_STATUS.usage,
  InputFileError: EXIT_STATUS.imageRefused,
  FormatError: EXIT_STATUS.imageRefused,
  UnrecognisedImage: EXIT_STATUS.imageRefused,
  BootError: EXIT_STATUS.imageRefused,
  NoLoaderError: EXIT_STATUS.imageRefused,
  MemoryMapError: EXIT_STATUS.imageRefused,
  PlanError: EXIT_STATUS.imageRefused,
  PartError: EXIT_STATUS.imageRefused,
  DiskError: EXIT_STATUS.imageRefused,
  ShareError: EXIT_STATUS.imageRefused,
  NetError: EXIT_STATUS.ioFailed,
  GdbServerError: EXIT_STATUS.ioFailed,
  PlugInError: EXIT_STATUS.imageRefused,
  SnapshotError: EXIT_STATUS.imageRefused,
  PlanFileError: EXIT_STATUS.imageRefused,
  ChangedFileError: EXIT_STATUS.imageRefused,
  RunRefused: EXIT_STATUS.imageRefused,
  EngineLimit: EXIT_STATUS.engineUnavailable,
  OutputFileError: EXIT_STATUS.ioFailed,
  AbortError: EXIT_STATUS.interrupted,
};

/** What else than "cannot be had" may be the matter with a guest. */
const GUEST_STATUSES: Partial<Record<GuestFault, number>> = {
  unknown: EXIT_STATUS.usage,
  usage: EXIT_STATUS.usage,
  storage: EXIT_STATUS.ioFailed,
};

/** Environment variable that asks for the stack of an error that is a bug of ours. */
const TRACE_VARIABLE = "LOCORE_TRACE";

/** What to print and the status to exit with. */
export interface Failure {
  lines: string[];
  status: number;
}

/** The fields by which the project's errors say where, what was found, and what it means. */
const FACT_FIELDS = [
  "code",
  "file",
  "part",
  "format",
  "offset",
  "address",
  "found",
  "expected",
  "meaning",
  "hint",
  "fault",
] as const;

/** An error as one line of JSON: the status, the message, and the facts the error carries. */
export function failureJson(error: unknown, status = explain(error).status): string {
  const { lines } = explain(error);
  if (!(error instanceof Error)) return JSON.stringify({ status, error: lines.join("\n") });
  const facts = error as Error & Partial<Record<(typeof FACT_FIELDS)[number], unknown>>;
  const known = FACT_FIELDS.filter((name) => facts[name] !== undefined).map((name) => [name, facts[name]]);
  const named = { status, name: error.name, error: error.message };
  return JSON.stringify({ ...named, ...(Object.fromEntries(known) as object) });
}

/** The status of an error that is no bug of ours. */
function statusOf(error: Error): number | undefined {
  if (error instanceof EngineUnavailable) return EXIT_STATUS.engineUnavailable;
  if (error instanceof SessionError && error.what === "engine") return EXIT_STATUS.engineUnavailable;
  if (error.name === "GuestError")
    return GUEST_STATUSES[(error as GuestError).fault] ?? EXIT_STATUS.imageRefused;
  return STATUSES[error.name];
}

/** Explains an error that ended a command. */
export function explain(error: unknown): Failure {
  if (!(error instanceof Error)) return bug(String(error), undefined);
  const status = statusOf(error);
  if (status === undefined) return bug(`${error.name}: ${error.message}`, error.stack);
  if (error.name === "AbortError") return { lines: ["locore: interrupted"], status };
  const hint = error instanceof UsageError && error.hint !== undefined ? [`        ${error.hint}`] : [];
  return { lines: [`locore: ${error.message}`, ...hint], status };
}

/** One line, and where it happened only for those who ask. */
function bug(what: string, stack: string | undefined): Failure {
  const oneLine = what.replace(/\s*\n\s*/g, " ");
  const line = `locore: a bug in locore, please report it (${TRACE_VARIABLE}=1 shows where it is): ${oneLine}`;
  const asked = process.env[TRACE_VARIABLE] !== undefined && stack !== undefined;
  return { lines: asked ? [line, ...stack.split("\n")] : [line], status: EXIT_STATUS.internal };
}
