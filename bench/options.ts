/** The command line of `npm run bench`. */
import { parseArgs } from "node:util";
import { nodeBinary } from "./peers.js";
import type { NodeBinary } from "./peers.js";

export interface Options {
  runs: number;
  /** Multiplies the sizes of compute programs and workloads. */
  scale: number;
  timeoutMs: number;
  nodes: NodeBinary[];
  /** Names of groups, cases or spans; everything where empty. */
  only: string[];
  /** Kinds of peers; all where empty. */
  peers: string[];
  json?: string;
  /** Instead of the benchmarks: a run of so many minutes. */
  soakMinutes?: number;
  list: boolean;
}

export const USAGE = `usage: npm run bench -- [options]

  --runs N         rounds, interleaved (3)
  --only NAME      a group (compute, boot, workload, smp, disk, share, net, run, snapshot, and
                   instruction, which only runs when it is named) or a program; repeatable
  --peer NAME      only these: locore, interpreter, qemu, v86; repeatable
  --node PATH      a Node to run locore and v86 with; repeatable; the bars are told for each
  --scale X        multiplies the sizes of compute programs and workloads (1)
  --quick          one round of a tenth of the size: whether all works, not how fast it is
  --timeout S      ends a run after so many seconds (600)
  --json FILE      writes every sample
  --soak MINUTES   instead: workloads in a loop for so long, memory watched
  --list           names what there is
`;

const QUICK = { runs: 1, scale: 0.1 };
const DEFAULT = { runs: 3, scale: 1 };
const TIMEOUT_S = 600;
const MS_PER_SECOND = 1000;

function positive(name: string, text: string | undefined, otherwise: number, whole: boolean): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value) || (whole && !Number.isInteger(value)))
    throw new Error(`--${name} ${text}: expected a positive ${whole ? "integer" : "number"}`);
  return value;
}

/** Throws with a sentence where an option makes no sense. */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: "string" },
      only: { type: "string", multiple: true },
      peer: { type: "string", multiple: true },
      node: { type: "string", multiple: true },
      scale: { type: "string" },
      quick: { type: "boolean" },
      timeout: { type: "string" },
      json: { type: "string" },
      soak: { type: "string" },
      list: { type: "boolean" },
    },
  });
  const otherwise = values.quick === true ? QUICK : DEFAULT;
  const options: Options = {
    runs: positive("runs", values.runs, otherwise.runs, true),
    scale: positive("scale", values.scale, otherwise.scale, false),
    timeoutMs: MS_PER_SECOND * positive("timeout", values.timeout, TIMEOUT_S, false),
    nodes: (values.node ?? [process.execPath]).map(nodeBinary),
    only: values.only ?? [],
    peers: values.peer ?? [],
    list: values.list === true,
  };
  if (values.soak !== undefined) options.soakMinutes = positive("soak", values.soak, 1, false);
  if (values.json !== undefined) options.json = values.json;
  return options;
}
