// Runs the compiled tests with Node's own runner, two files at a time. `*.full.test.ts` only with --full. Other
// arguments: words that a test file's path must contain, and options (`--test-name-pattern=…`) for the runner.
// Tests are found by their sources, so that what an older build left in dist/ does not run.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const CONCURRENCY = 2;
const SIGNAL_STATUS = 130;
const MINUTE_MS = 60_000;
/** A test file, or one test in it, that takes longer hangs: it is ended and counts as failed. */
const LIMIT_MS = { usual: 5 * MINUTE_MS, full: 60 * MINUTE_MS };

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const options = process.argv.slice(2).filter((word) => word.startsWith("-") && word !== "--full");
const words = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const full = process.argv.includes("--full");

function* testSources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) yield* testSources(file);
    else if (entry.name.endsWith(".test.ts")) yield file;
  }
}

const files = [...testSources("test")]
  .filter((file) => full || !file.endsWith(".full.test.ts"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => path.join("dist", file.replace(/\.ts$/, ".js")))
  .sort();
const missing = files.filter((file) => !existsSync(file));
if (files.length === 0 || missing.length > 0) {
  console.error(
    files.length === 0 ? "locore: no test file matches" : `locore: not built: ${missing.join(" ")}`,
  );
  process.exit(1);
}

const runner = spawn(
  process.execPath,
  [
    "--test",
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${full ? LIMIT_MS.full : LIMIT_MS.usual}`,
    "--test-reporter=./tools/slowest-files.mjs",
    "--test-reporter-destination=stdout",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    ...options,
    ...files,
  ],
  { stdio: "inherit" },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runner.kill(signal));
runner.on("exit", (status) => process.exit(status ?? SIGNAL_STATUS));
