/** `locore restore FILE`: goes on with a machine that was saved. */
import { readCardMtu } from "../../snapshot/card-mtu.js";
import { readAbout, type SnapshotSource } from "../../snapshot/file.js";
import type { SnapshotAbout } from "../../snapshot/about.js";
import type { NetRequest } from "../../host/node/net/net-request.js";
import { ABOUT_READING, FAST_READING, readSnapshotFile } from "../../host/node/snapshot-file.js";
import { SnapshotError } from "../../snapshot/snapshot-error.js";
import { UsageError, type Arguments } from "../args.js";
import { BOOT_OPTIONS } from "../boot-request.js";
import { JSON_OPTION, type Command } from "../command.js";
import { parseDevice } from "../device-option.js";
import { parseDisk } from "../disk-option.js";
import { InputFileError } from "../failure.js";
import { launch } from "../launch.js";
import { inFile } from "../naming.js";
import { NET_RUN_OPTIONS, readNet } from "../net-option.js";
import { readRunOptions, RUN_OPTIONS } from "../run-options.js";

/** What is not in a snapshot. */
const AGAIN_OPTIONS = BOOT_OPTIONS.filter(({ name }) => ["device", "disk", "net"].includes(name));

/** What a snapshot's file says of itself. Throws InputFileError, SnapshotError. */
export function aboutFile(file: string): SnapshotAbout {
  return reading(file, (source) => readAbout(source, ABOUT_READING));
}

/** The network of a machine that was saved: its packets are as long as the guest's driver was told then, whatever is asked now. Throws UsageError, InputFileError, SnapshotError. */
export function restoredNet(file: string, args: Arguments): NetRequest | undefined {
  const asked = readNet(args);
  if (asked !== undefined && "cable" in asked && asked.isAddressed)
    throw new UsageError("--net addr=: a guest that goes on has the address that it had", "leave it out");
  const request = asked?.request;
  const mtu = request && reading(file, (source) => readCardMtu(source, FAST_READING));
  return request && { ...request, mtu: mtu ?? request.mtu };
}

function reading<T>(file: string, read: (source: SnapshotSource) => T): T {
  try {
    return readSnapshotFile(file, read);
  } catch (error) {
    if (error instanceof SnapshotError) throw inFile(file, error);
    throw new InputFileError("snapshot", file, error);
  }
}

export const restore: Command = {
  description: [
    "The machine goes on behind the instruction that was its last when it was saved. Devices of your own have to be given again, its network, and its disks, in their order: one that is another, or was changed since, is refused.",
    "--clock jump lets the guest see the time pass that has passed since, up to each of its timers at once, so that no " +
      "watchdog of it barks; hold has its clock go on where it was. A deterministic machine goes on as if nothing had been.",
    "A reset restarts the machine only if it could be restarted when it was saved (on a terminal, or with --max-resets): " +
      "otherwise the snapshot does not hold what it began with.",
  ],
  operands: [{ name: "FILE", required: true, help: "a snapshot: of --snapshot-at, or Ctrl-A s" }],
  options: [
    {
      name: "clock",
      value: "HOW",
      choices: ["jump", "hold"],
      help: "what the guest's clock does about the time that has passed: jump (the default) or hold",
    },
    ...AGAIN_OPTIONS,
    ...RUN_OPTIONS,
    ...NET_RUN_OPTIONS,
    { ...JSON_OPTION, help: "report the end as one line of JSON on standard error" },
  ],
  examples: [
    ["locore restore shell.snap", "a shell, at once"],
    ["locore restore shell.snap --clock hold --timeout 30", "its clock goes on where it was"],
  ],
  async run(args, context) {
    const [file] = args.operands;
    const options = readRunOptions(args);
    const about = aboutFile(file);
    const devices = args.values("device").map(parseDevice);
    const clock = args.value("clock") === "hold" ? "hold" : "jump";
    const source = {
      snapshot: file,
      clock,
      disks: args.values("disk").map(parseDisk),
      ...(devices.length > 0 && { plugIns: { devices, loaders: [] } }),
    } as const;
    const input = !about.deterministic;
    const net = restoredNet(file, args);
    return launch(
      { ...options, ...(net && { net }), screen: true, input, source: () => Promise.resolve(source) },
      context,
    );
  },
};
