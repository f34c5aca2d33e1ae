/** `locore run --matrix`: plans the cells, runs each in a process of its own, shows how they end, writes the reports. */
import { accessSync, constants, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArguments, UsageError, type Arguments } from "../args.js";
import { printLines, type CommandContext } from "../command.js";
import { OutputFileError } from "../failure.js";
import type { Pulling } from "../guest-files.js";
import { RUN_STATUS } from "../run/outcome.js";
import { LEAST_MEMORY } from "../run/guest.js";
import { readRunRequest, RUN_COMMAND_OPTIONS, type RunRequest } from "../run/request.js";
import { cellFiles, makeCellFolder, type CellFiles } from "./cell-files.js";
import { isFailure, matrixStatus, type CellResult } from "./cell-result.js";
import { matrixDisplay, type MatrixDisplay } from "./display.js";
import { onEndingSignals, statusOfSignal, type EndingSignal } from "./ending.js";
import { KeptOutput } from "./kept-output.js";
import { checkKernel, fetchingGuests, MatrixKernels } from "./kernels.js";
import { readMatrixRequest, STANDARD_OUTPUT, type MatrixRequest } from "./options.js";
import { cellWords, isAxisWord, parseAxes, planCells, type Cell } from "./plan.js";
import { jsonReport } from "./reports/json.js";
import { junitReport } from "./reports/junit.js";
import { markdownReport } from "./reports/markdown.js";
import { tapReport } from "./reports/tap.js";
import { writeReports } from "./reports/write.js";
import { RunningCell } from "./run-cell.js";
import { Slots } from "./slots.js";
import { endLines, resultTable } from "./table.js";

const MIB = 2 ** 20;
/** What a cell's process needs beside its guest's memory, measured with some to spare. */
const PROCESS_MEMORY = 256 * MIB;
/** Of a guest whose root lies in memory, before anybody has packed it. */
const PACKAGES_MEMORY = 512 * MIB;
/** Output of ended cells that is held for the reports; of what ends after that, less is kept. */
const MOST_OUTPUT = 32 * MIB;

/** A cell with all that its run is started with. */
interface PlannedCell {
  cell: Cell;
  words: readonly string[];
  request: RunRequest;
  files: CellFiles | undefined;
}

/** The cells of a command line, each checked as a run's own would be. Throws UsageError. */
function plan(args: Arguments, request: MatrixRequest): PlannedCell[] {
  const before = args.operands.slice(0, args.before);
  const axes = parseAxes([...args.values("matrix"), ...before.filter(isAxisWord)], RUN_COMMAND_OPTIONS);
  const kernels = axes.find(({ option }) => option.name === "kernel")?.values ?? [];
  for (const kernel of kernels.filter((value) => value !== "")) checkKernel(kernel);
  const cells = planCells(axes, { only: args.values("only"), exclude: args.values("exclude") });
  return cells.map((cell) => {
    const words = cellWords(cell, args, RUN_COMMAND_OPTIONS);
    const files = request.out === undefined ? undefined : cellFiles(request.out, cell, cells.length);
    try {
      const run = readRunRequest(parseArguments(words, RUN_COMMAND_OPTIONS));
      const log = files === undefined ? [] : [`--log=${files.kernel}`];
      return { cell, words: [...log, ...words], request: run, files };
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${cell.name}: ${error.message}`, error.hint);
    }
  });
}

/** Memory that a cell may take, in bytes. */
function memoryOf({ memory, root }: RunRequest): number {
  const usual = root.kind === "packages" ? PACKAGES_MEMORY : LEAST_MEMORY;
  return (memory ?? usual) + PROCESS_MEMORY;
}

/** Free memory of the host, and of the group of processes that this one is in, where it has a limit. */
function freeMemory(): number {
  const { availableMemory } = process as { availableMemory?: () => number };
  return Math.min(os.freemem(), availableMemory?.call(process) ?? Infinity);
}

/** All that goes on while a matrix runs. */
class MatrixRun {
  readonly #running = new Set<RunningCell>();
  readonly #abort = new AbortController();
  readonly #slots: Slots;
  readonly #kernels: MatrixKernels;
  #held = 0;
  /** Why no other cell is begun. */
  #over: "interrupted" | "fail-fast" | undefined;

  constructor(
    readonly request: MatrixRequest,
    readonly jobs: number,
    readonly display: MatrixDisplay,
  ) {
    this.#slots = new Slots(jobs, freeMemory());
    const progress: Pulling["progress"] = (event) => display.fetching(event);
    this.#kernels = new MatrixKernels(fetchingGuests({ progress, signal: this.#abort.signal }));
  }

  run(cells: readonly PlannedCell[]): Promise<CellResult[]> {
    return Promise.all(cells.map((cell) => this.#cell(cell)));
  }

  /** Ends the cells that run, and begins no other. */
  stop(why: "interrupted" | "fail-fast"): void {
    this.#over ??= why;
    this.#abort.abort();
    for (const cell of this.#running) cell.stop(why);
  }

  /** Ends them at once. */
  kill(): void {
    for (const cell of this.#running) cell.kill();
  }

  async #cell(planned: PlannedCell): Promise<CellResult> {
    const missing = await this.#kernels.ready(planned.request.kernel);
    this.display.fetched();
    if (this.#over !== undefined) return this.#notRun(planned);
    if (missing !== undefined) {
      const state = missing.reason === "unavailable" ? "unavailable" : "failed";
      return this.#ended(planned, {
        ...this.#notRun(planned),
        ...missing,
        state,
        status: RUN_STATUS.ours,
      });
    }
    const free = await this.#slots.take(memoryOf(planned.request));
    try {
      return this.#over === undefined ? await this.#begun(planned) : this.#notRun(planned);
    } finally {
      free();
    }
  }

  async #begun(planned: PlannedCell): Promise<CellResult> {
    const { cell, words, request, files } = planned;
    const running = new RunningCell({ cell, words, log: files?.output, timeoutMs: request.timeoutMs });
    const shown = { name: cell.name, startedMs: running.startedMs };
    this.#running.add(running);
    this.display.began(shown);
    const result = await running.ended;
    this.#running.delete(running);
    this.display.ended(shown, endLines(result, files?.output));
    return this.#judged(result);
  }

  #ended(planned: PlannedCell, result: CellResult): CellResult {
    this.display.ended({ name: planned.cell.name, startedMs: 0 }, endLines(result));
    return this.#judged(result);
  }

  #judged(result: CellResult): CellResult {
    this.#held += result.output.held;
    if (this.#held > MOST_OUTPUT) {
      this.#held -= result.output.held;
      result.output.shorten();
      this.#held += result.output.held;
    }
    const { failFast, allowMissing } = this.request;
    if (failFast && this.#over === undefined && isFailure(result, allowMissing)) this.stop("fail-fast");
    return result;
  }

  #notRun({ cell }: PlannedCell): CellResult {
    const reason = this.#over ?? "interrupted";
    return { cell, state: "not-run", reason, ms: 0, output: new KeptOutput() };
  }
}

/** A long run must not end with a report that has no place. */
function checkReports({ reports, out }: MatrixRequest): void {
  if (out !== undefined) makeCellFolder(out);
  for (const { file } of reports.filter((report) => report.file !== STANDARD_OUTPUT)) {
    try {
      accessSync(path.dirname(file), constants.W_OK);
      if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
        throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    } catch (cause) {
      throw new OutputFileError("report", file, cause);
    }
  }
}

const REPORTS = { junit: junitReport, tap: tapReport, markdown: markdownReport };

async function runCells(
  cells: readonly PlannedCell[],
  request: MatrixRequest,
  context: CommandContext,
): Promise<number> {
  const { stdout, stderr } = context;
  const printed = request.json || request.reports.some(({ file }) => file === STANDARD_OUTPUT);
  const screen = printed ? stderr : stdout;
  const jobs = Math.min(cells.length, request.jobs ?? os.availableParallelism());
  const display = matrixDisplay(screen, stderr, cells.length);
  const run = new MatrixRun(request, jobs, display);
  let ending: EndingSignal | undefined;
  const forget = onEndingSignals(
    (signal) => {
      ending = signal;
      run.stop("interrupted");
    },
    () => run.kill(),
  );
  const [startedAt, began] = [new Date(), performance.now()];
  let results: CellResult[];
  try {
    results = await run.run(cells);
  } finally {
    display.close();
    forget();
  }
  const ms = performance.now() - began;
  const { allowMissing } = request;
  const status = ending === undefined ? matrixStatus(results, allowMissing) : statusOfSignal(ending);
  printLines(screen, resultTable(results, { ms, jobs }));
  const name = cells[0].request.command.join(" ") || "sh";
  const interrupted = ending === undefined ? {} : { interrupted: `interrupted by ${ending}` };
  const subject = { name, startedAt, ms, allowMissing, ...interrupted };
  const written = request.reports.map(({ kind, file }) => ({ file, text: REPORTS[kind](results, subject) }));
  if (request.json) written.push({ file: STANDARD_OUTPUT, text: jsonReport(results, { status, ms, jobs }) });
  await writeReports(written, stdout);
  return status;
}

/** Runs the matrix of a command line and returns its status. Throws UsageError and OutputFileError before anything runs. */
export async function runMatrix(args: Arguments, context: CommandContext): Promise<number> {
  const request = readMatrixRequest(args);
  const cells = plan(args, request);
  // Cells have no standard input: a shell would end at once, and every cell would be well.
  if (cells[0].request.command.length === 0)
    throw new UsageError(
      "--matrix: there is no command",
      "locore run --matrix smp=1,4 -- COMMAND, or --exec TEXT",
    );
  if (request.dryRun) {
    printLines(
      context.stdout,
      cells.map(({ cell }) => cell.name),
    );
    return 0;
  }
  checkReports(request);
  return runCells(cells, request, context);
}
