/** The command line inside the test's own process, with what it printed. */
import { Writable } from "node:stream";
import { runCommandLine } from "../../src/cli/main.js";

class Capture extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs one command line. */
export async function locore(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const stdout = new Capture();
  const stderr = new Capture();
  const status = await runCommandLine(args, { stdout, stderr });
  return { status, out: stdout.text, err: stderr.text };
}
