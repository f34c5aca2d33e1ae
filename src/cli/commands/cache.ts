/** `locore cache`: the machines that runs go on from, and how many of them are kept. */
import { existsSync } from "node:fs";
import { UsageError, type Arguments } from "../args.js";
import { closest } from "../closest.js";
import { OutputFileError } from "../failure.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { DEFAULT_LIMIT, KeptMachines, type KeptLimit, type KeptMachine } from "../run/warm/folder.js";
import { parseSize } from "../values.js";

const ACTIONS = ["list", "clear", "limit"];
const KEY_SHOWN = 12;
const MIB = 2 ** 20;
const COUNT = /^\d{1,4}$/;

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function row({ key, record, bytes, usedMs }: KeptMachine): string {
  return `${key.slice(0, KEY_SHOWN)}  ${mib(bytes).padStart(9)}  ${new Date(usedMs).toISOString()}  ${record.what}`;
}

function list(
  kept: readonly KeptMachine[],
  { count, bytes }: KeptLimit,
  args: Arguments,
  { stdout }: CommandContext,
): number {
  const folder = KeptMachines.folderIn();
  if (args.has("json")) {
    const rows = kept.map(({ key, record: { what }, bytes: size, usedMs }) => ({ key, what, size, usedMs }));
    stdout.write(`${JSON.stringify({ folder, limit: { count, bytes }, machines: rows })}\n`);
    return 0;
  }
  const sum = kept.reduce((total, one) => total + one.bytes, 0);
  printLines(stdout, [
    ...kept.map(row),
    `${kept.length} of at most ${count} machines, ${mib(sum)} of at most ${mib(bytes)}, in ${folder}`,
  ]);
  return 0;
}

async function limit(machines: KeptMachines, words: readonly string[]): Promise<number> {
  const [count = "", size = "", ...others] = words;
  if (!COUNT.test(count) || size === "" || others.length > 0)
    throw new UsageError(
      `${["limit", ...words].join(" ")}: expected how many and how much`,
      "locore cache limit 8 2G",
    );
  const bytes = parseSize("limit", size);
  try {
    await machines.setLimit({ count: Number(count), bytes });
  } catch (cause) {
    throw new OutputFileError("limit", machines.folder, cause);
  }
  return 0;
}

function clear(machines: KeptMachines, { stdout }: CommandContext): number {
  try {
    const count = machines.clear();
    printLines(stdout, [`${count} machine${count === 1 ? "" : "s"} thrown away`]);
  } catch (cause) {
    throw new OutputFileError("cache", machines.folder, cause);
  }
  return 0;
}

/** Where there is no folder, and none can be made, nothing is kept; one of somebody else is not believed. */
function withoutFolder(action: string, args: Arguments, context: CommandContext): number {
  const folder = KeptMachines.folderIn();
  if (existsSync(folder))
    throw new OutputFileError(
      "cache",
      folder,
      new Error(
        "others can write there, or it is no folder: what is in it is not believed; remove it, or set XDG_CACHE_HOME",
      ),
    );
  if (action === "limit") throw new OutputFileError("limit", folder, new Error("the folder cannot be made"));
  return action === "list" ? list([], DEFAULT_LIMIT, args, context) : 0;
}

export const cache: Command = {
  description: [
    "A run keeps its machine at the moment when it waits for its command, and the next run of the same kernel, root and machine goes on " +
      "from there. Whatever was not used for longest goes first. limit 0 0M keeps none.",
  ],
  operands: [
    { name: "ACTION", required: false, help: "list (as without one), clear, or limit" },
    { name: "VALUE…", required: false, help: "limit: how many machines, and how many bytes of them: 8 2G" },
  ],
  options: [JSON_OPTION],
  examples: [
    ["locore cache", "what is kept"],
    ["locore cache limit 20 8G", "keep more"],
    ["locore cache clear", "keep none of what there is"],
  ],
  async run(args, context) {
    const [action = "list", ...values] = args.operands;
    if (!ACTIONS.includes(action)) {
      const guess = closest(action, ACTIONS);
      throw new UsageError(`unknown action ${action}`, guess && `did you mean locore cache ${guess}?`);
    }
    if (action !== "limit" && values.length > 0) throw new UsageError(`unexpected operand ${values[0]}`);
    const machines = KeptMachines.open();
    if (machines === undefined) return withoutFolder(action, args, context);
    if (action === "limit") return limit(machines, values);
    if (action === "list") return list(machines.list(), machines.limit, args, context);
    return clear(machines, context);
  },
};
