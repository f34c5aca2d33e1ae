/**
 * Ends the process at once, whatever its threads do. `process.exit` waits for them: for a thread in a system call that does not come
 * back, and, rarely, for V8's compiler, whose threads may wait for a collection that nobody makes any more (nodejs/node 54918, 64274).
 * What Node does besides at an end is done here, as far as it is of any use; where that cannot be, Node's own way is taken.
 */
import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import type { NativeCalls } from "./native-calls.js";

const STANDARD_STREAMS = [0, 1, 2];
const FLAGS = /^flags:\s*([0-7]+)$/m;
const OCTAL = 8;

/** File status flags of the standard streams, as this process was given them. */
let given: readonly (number | undefined)[] = [];
let native: NativeCalls | undefined;

const { enableCompileCache, flushCompileCache } = nodeModule as {
  enableCompileCache?: unknown;
  flushCompileCache?: () => void;
};

/** Of an open file, those that others see who have it as well; O_NONBLOCK is one. Undefined where the host does not say. */
function statusFlags(descriptor: number): number | undefined {
  try {
    const flags = FLAGS.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
    return flags === undefined ? undefined : Number.parseInt(flags, OCTAL);
  } catch {
    return undefined;
  }
}

/** Before anything is done with the standard streams: Node changes pipes that it was given, and whoever gave them may go on using them. */
export function noteStandardStreams(): void {
  if (process.platform === "linux") given = STANDARD_STREAMS.map(statusFlags);
}

/** Whether somebody wants from Node what it only writes at an end of its own. */
function isMeasured(): boolean {
  return (
    process.execArgv.length > 0 || ["NODE_OPTIONS", "NODE_V8_COVERAGE"].some((name) => process.env[name])
  );
}

/** Has `endProcess` end it at once, where the host can; takes some milliseconds. */
export async function prepareToEnd(): Promise<void> {
  // Without the second, what was compiled would not be kept.
  if (isMeasured() || (enableCompileCache !== undefined && flushCompileCache === undefined)) return;
  native = (await import("./native-calls.js")).nativeCalls();
}

function restoreStreams({ setStatusFlags }: NativeCalls): void {
  for (const descriptor of STANDARD_STREAMS) {
    const flags = given[descriptor];
    if (flags !== undefined && statusFlags(descriptor) !== flags) setStatusFlags(descriptor, flags);
  }
}

/** Ends the process; what was written to its streams has to have left. */
export function endProcess(status: number): never {
  if (native === undefined) process.exit(status);
  process.emit("exit", status);
  flushCompileCache?.();
  restoreStreams(native);
  return native.leave(status);
}
