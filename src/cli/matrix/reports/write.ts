/** Where the reports of a matrix go: one that cannot be written keeps no other from being. */
import type { Writable } from "node:stream";
import { writeOutput } from "../../files.js";
import { STANDARD_OUTPUT } from "../options.js";

/** A report, and the file that it is written to, or standard output. */
export interface WrittenReport {
  file: string;
  text: string;
}

/** Waits until it has left: a process that ends with a status of ours does not wait for long. */
function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/** Writes all of them; then throws the OutputFileError of the first that could not be. */
export async function writeReports(reports: readonly WrittenReport[], stdout: Writable): Promise<void> {
  const failures: unknown[] = [];
  for (const { file, text } of reports) {
    if (file === STANDARD_OUTPUT) await write(stdout, text);
    else
      await writeOutput(file, new TextEncoder().encode(text)).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
