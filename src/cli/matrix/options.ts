/** The options of `locore run` that are about a matrix as a whole, not about one of its runs; and what they say. Reads no file. */
import { UsageError, type Arguments, type OptionSpec } from "../args.js";
import { closest } from "../closest.js";
import { parseCount } from "../values.js";

export const MATRIX_OPTIONS: readonly OptionSpec[] = [
  {
    name: "matrix",
    value: "AXIS=VALUE,…",
    repeats: true,
    help:
      "run every combination of values, each as a run of its own: --matrix kernel=debian-12,sid smp=1,4. An axis is any option here that takes a value; " +
      "an empty value leaves the option out, two commas are one that belongs to a value",
  },
  {
    name: "only",
    value: "AXIS=VALUE,…",
    repeats: true,
    help: "of the matrix, only what has all these values; given several times: any of them",
  },
  {
    name: "exclude",
    value: "AXIS=VALUE,…",
    repeats: true,
    help: "of the matrix, leave out what has all these values",
  },
  {
    name: "jobs",
    aliases: ["j"],
    value: "N",
    help: "so many runs of the matrix at once; without it as many as this host has cores. Never more than its free memory holds",
  },
  { name: "fail-fast", help: "the first run of the matrix that fails ends the others" },
  { name: "allow-missing", help: "a kernel or package of the matrix that cannot be had is no failure" },
  {
    name: "report",
    value: "KIND=FILE",
    repeats: true,
    help: "write how the matrix ended, as junit=FILE, tap=FILE or markdown=FILE; - is standard output",
  },
  {
    name: "out",
    value: "DIR",
    help: "write all output of each run of the matrix, and its kernel's messages, to files there",
  },
];

export const REPORT_KINDS = ["junit", "tap", "markdown"] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** Where a report goes that is to be printed. */
export const STANDARD_OUTPUT = "-";

export interface ReportRequest {
  kind: ReportKind;
  file: string;
}

/** What is asked for about a matrix; its axes aside. */
export interface MatrixRequest {
  jobs: number | undefined;
  failFast: boolean;
  allowMissing: boolean;
  reports: readonly ReportRequest[];
  /** Folder of the runs' files. */
  out: string | undefined;
  json: boolean;
  dryRun: boolean;
}

const MOST_JOBS = 4096;

function parseReport(text: string): ReportRequest {
  const [kind, ...rest] = text.split("=");
  const file = rest.join("=");
  const known = REPORT_KINDS.find((name) => name === kind);
  if (known !== undefined && file !== "") return { kind: known, file };
  const guess = known === undefined ? closest(kind, REPORT_KINDS) : undefined;
  throw new UsageError(
    `--report ${text}: expected ${REPORT_KINDS.map((name) => `${name}=FILE`).join(", ")}`,
    guess && `did you mean ${guess}=${file || "FILE"}?`,
  );
}

/** Reads `MATRIX_OPTIONS`, and `--json` and `--dry-run` of a run. Throws UsageError. */
export function readMatrixRequest(args: Arguments): MatrixRequest {
  const jobs = args.value("jobs");
  const reports = args.values("report").map(parseReport);
  const json = args.has("json");
  const printed = reports.filter(({ file }) => file === STANDARD_OUTPUT).length + (json ? 1 : 0);
  if (printed > 1)
    throw new UsageError(
      "standard output can hold one report only",
      "give the others files; --json is printed there too",
    );
  return {
    jobs: jobs === undefined ? undefined : parseCount("--jobs", jobs, 1, MOST_JOBS),
    failFast: args.has("fail-fast"),
    allowMissing: args.has("allow-missing"),
    reports,
    out: args.value("out"),
    json,
    dryRun: args.has("dry-run"),
  };
}

/** Throws UsageError where one of the options is given and there is no matrix that it could be about. */
export function refuseMatrixOptions(args: Arguments): void {
  const given = MATRIX_OPTIONS.find(({ name }) => args.has(name));
  if (given !== undefined)
    throw new UsageError(`--${given.name} is about a matrix, and there is none`, "--matrix AXIS=VALUE,…");
}
