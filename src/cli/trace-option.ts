/** `--trace` and `--trace-file`: what a machine does, in a file for Perfetto. */
import { parseTrace, TRACE_KINDS } from "../diagnose/trace/trace-words.js";
import type { TraceRequest } from "../host/node/trace-file.js";
import { UsageError, type Arguments, type OptionSpec } from "./args.js";

const USUAL_FILE = "locore-trace.json";

export const TRACE_OPTIONS: readonly OptionSpec[] = [
  {
    name: "trace",
    value: "KIND,…[:FILTER,…]",
    help:
      `write what the machine does to a file that Perfetto opens: ${TRACE_KINDS.join(", ")}; ` +
      "with a filter, of these devices (uart16550, virtio-*), or addresses and vectors (0x3f8-0x3ff), only",
  },
  { name: "trace-file", value: "FILE", help: `the file of --trace; ${USUAL_FILE} if nobody says` },
];

/** Reads `TRACE_OPTIONS`; undefined where nothing is to be traced. Throws UsageError. */
export function readTrace(args: Arguments): TraceRequest | undefined {
  const [text, file] = [args.value("trace"), args.value("trace-file")];
  if (text === undefined) {
    if (file !== undefined) throw new UsageError("--trace-file: nothing is traced", "--trace irq,exit");
    return undefined;
  }
  const words = parseTrace(text);
  if (typeof words === "string")
    throw new UsageError(`--trace ${text}: ${words}`, "--trace port,irq:uart16550,0x24");
  return { words, file: file ?? USUAL_FILE };
}
