/**
 * `locore run` as a whole: from the start of the process until the command's own line is here. QEMU has the very same kernel, initramfs
 * and command line, and the ports by which the guest hands its streams over.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArguments } from "../src/cli/args.js";
import { makeGuest } from "../src/cli/run/guest.js";
import { readRunRequest, RUN_COMMAND_OPTIONS } from "../src/cli/run/request.js";
import { GuestError } from "../src/guests/index.js";
import type { Case, Skipped } from "./case.js";
import { isLine } from "./measure.js";
import { RUN_FOLDER, type Boot } from "./peers.js";

const NAME = "run -- echo";
const SAID = "bench: the command ran";
const COMMAND = ["echo", SAID];
const MIB = 2 ** 20;
const PIPES = { terminal: false, separateErrors: false };
/** For QEMU's microvm, whose timers a kernel on a busy host does not trust. */
const FOR_QEMU = "no_timer_check tsc=reliable";

async function runBoot(folder: string): Promise<Boot | Skipped> {
  const here = process.cwd();
  try {
    // There no folder is shared: QEMU has none.
    process.chdir(RUN_FOLDER);
    const request = readRunRequest(parseArguments(["--", ...COMMAND], RUN_COMMAND_OPTIONS));
    const { source } = await makeGuest(request, PIPES, {});
    const { kernel, initrd, commandLine, memory } = source.boot;
    if (initrd === undefined || memory === undefined) throw new Error("a run without an initramfs");
    const [image, archive] = ["run.kernel", "run.cpio"].map((name) => path.join(folder, name));
    await writeFile(image, kernel.bytes);
    await writeFile(archive, initrd.bytes);
    return {
      kernel: image,
      initrd: archive,
      append: `${commandLine ?? ""} ${FOR_QEMU}`,
      memoryMib: memory / MIB,
      run: COMMAND,
    };
  } catch (error) {
    if (error instanceof GuestError) return { skip: error.message };
    throw error;
  } finally {
    process.chdir(here);
  }
}

/** One command from start to end. */
export function runCommandCases(): Case[] {
  return [
    {
      group: "run",
      name: "run",
      spans: [
        { name: NAME, what: "from the start of the process to the command's line", to: SAID, bar: "run" },
      ],
      monitors: ["locore", "qemu"],
      productOnly: true,
      until: SAID,
      prepare: runBoot,
      wrong: ({ lines }) =>
        lines.some(({ text }) => isLine(text, SAID))
          ? new Map()
          : new Map([[NAME, "the command did not run"]]),
    },
  ];
}
