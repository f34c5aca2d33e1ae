/** The command line inside the test's own process, with what it printed. */
import { Writable } from "node:stream";
import { runCommandLine } from "../../src/cli/command-line.js";

/** A stream that keeps what was written to it. */
class Capture extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** What a command gets instead of the terminal. */
export function capturedStreams(): { stdout: Capture; stderr: Capture } {
  return { stdout: new Capture(), stderr: new Capture() };
}

/** Runs one command line. */
export async function locore(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const streams = capturedStreams();
  const status = await runCommandLine(args, streams);
  return { status, out: streams.stdout.text, err: streams.stderr.text };
}
