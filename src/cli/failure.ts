/**
 * What went wrong, as a person reads it, and the exit status it has. One table from error types to statuses; a
 * type that is not in it is a bug of ours and says so.
 */
import { SessionError } from "../host/node/session.js";
import { EngineUnavailable } from "../host/node/engines.js";
import { PlanError } from "../machine/fill.js";
import { EXIT_STATUS } from "../machine/end.js";
import { UsageError } from "./args.js";

/** A file that was named on the command line cannot be read. */
export class FileError extends Error {
  constructor(what: string, path: string, cause: unknown) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = FILE_REASONS[code ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));
    super(`${what} ${path}: ${why}`);
    this.name = "FileError";
  }
}

const FILE_REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "no permission to use it",
  EISDIR: "is a folder, not a file",
  ENOSPC: "no space left for it",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of its path is not a folder",
};

/** Names of errors that mean "this image, or a file with it, cannot be booted". */
const REFUSALS = [
  "FormatError",
  "UnrecognisedImage",
  "BootError",
  "NoLoaderError",
  "MemoryMapError",
  "GuestError",
];
/** Names of errors that mean "no such option, or no such value of it". */
const USAGE_FAULTS = ["OptionError", "ConvertError"];

/** What to print and the status to exit with. */
export interface Failure {
  lines: string[];
  status: number;
}

/** The fields by which the project's errors say where, what was found, and what it means. */
const FACT_FIELDS = ["format", "offset", "address", "found", "expected", "meaning", "hint", "fault"] as const;

/** An error as one line of JSON: the status, the message, and the facts the error carries. */
export function failureJson(error: unknown): string {
  const { lines, status } = explain(error);
  if (!(error instanceof Error)) return JSON.stringify({ status, error: lines.join("\n") });
  const facts = error as Error & Partial<Record<(typeof FACT_FIELDS)[number], unknown>>;
  const known = FACT_FIELDS.filter((name) => facts[name] !== undefined).map((name) => [name, facts[name]]);
  const named = { status, name: error.name, error: error.message };
  return JSON.stringify({ ...named, ...(Object.fromEntries(known) as object) });
}

/** Explains an error that ended a command. */
export function explain(error: unknown): Failure {
  if (!(error instanceof Error)) return { lines: [`locore: ${String(error)}`], status: 1 };
  if (error instanceof UsageError) {
    const hint = error.hint === undefined ? [] : [`        ${error.hint}`];
    return { lines: [`locore: ${error.message}`, ...hint], status: EXIT_STATUS.usage };
  }
  if (USAGE_FAULTS.includes(error.name)) {
    return { lines: [`locore: ${error.message}`], status: EXIT_STATUS.usage };
  }
  if (error instanceof EngineUnavailable || (error instanceof SessionError && error.what === "engine")) {
    return { lines: [`locore: ${error.message}`], status: EXIT_STATUS.engineUnavailable };
  }
  if (error.name === "AbortError") {
    return { lines: ["locore: interrupted"], status: EXIT_STATUS.interrupted };
  }
  const refused =
    error instanceof FileError ||
    error instanceof PlanError ||
    (error instanceof SessionError && error.what === "plan") ||
    REFUSALS.includes(error.name);
  if (refused) return { lines: [`locore: ${error.message}`], status: EXIT_STATUS.imageRefused };
  return {
    lines: ["locore: this is a bug in locore, please report it:", error.stack ?? error.message],
    status: 1,
  };
}
