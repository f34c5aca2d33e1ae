/**
 * `locore demo`, which is what `npm start` runs: Debian's kernel, unmodified, to a busybox shell. On a terminal it
 * leaves you at the guest's prompt; otherwise the guest computes a few lines and switches itself off.
 */
import type { BootOptions } from "../../boot/options.js";
import { exitStatusIn, initramfsBytes, pullGuest, type InitramfsOptions } from "../../guests/index.js";
import { EXIT_STATUS } from "../../machine/end.js";
import { JSON_OPTION, type Command, type CommandContext } from "../command.js";
import { readInput } from "../files.js";
import { launch } from "../launch.js";
import { progressLine } from "../progress.js";
import { readRunOptions, RUN_OPTIONS } from "../run-options.js";

const COMMAND_LINE = "console=ttyS0";
const MS_PER_SECOND = 1000;
/** A file whose digest anyone can check: `printf 'hello from the host\n' | sha256sum`. */
const KNOWN_FILE = { to: "/root/hello.txt", bytes: new TextEncoder().encode("hello from the host\n") };
/** Lines computed in the guest. Debian's busybox has awk without libm, so pi is summed (Machin's formula). */
const COMPUTED_LINES = [
  "uname -a",
  `sha256sum ${KNOWN_FILE.to}`,
  "awk 'BEGIN { a = 1/5; b = 1/239; for (n = 1; n < 24; n += 2) { pi += 16*a/n - 4*b/n; a /= -25; b /= -57121 }",
  '  printf "awk: pi = %.12f\\n", pi }\'',
  "date -u",
].join("\n");

/** What the guest does: a shell for a person, a few lines for a pipe. */
function guestProgram(interactive: boolean): Pick<InitramfsOptions, "command" | "shell" | "terminal"> {
  if (!interactive) return { command: COMPUTED_LINES, shell: false };
  const terminal = process.env.TERM;
  return terminal === undefined ? { shell: true } : { shell: true, terminal };
}

/** Fetches the guests (or finds them in the cache) and packs the initramfs. */
async function demoBoot(
  interactive: boolean,
  context: CommandContext,
  signal: AbortSignal,
): Promise<BootOptions> {
  const progress = progressLine(context.stderr);
  const pulling = { progress: progress.show, signal };
  try {
    const kernel = await pullGuest("debian-cloud", pulling);
    const busybox = await pullGuest("busybox", pulling);
    const initrd = await initramfsBytes({
      busybox: busybox.files.busybox,
      files: [KNOWN_FILE],
      ...guestProgram(interactive),
    });
    const bytes = await readInput("kernel", kernel.files.kernel, signal);
    return {
      kernel: { name: kernel.files.kernel, bytes },
      initrd: { name: "initramfs", bytes: initrd },
      commandLine: COMMAND_LINE,
      clock: { rtcStart: Math.floor(Date.now() / MS_PER_SECOND) },
    };
  } finally {
    progress.done();
  }
}

export const demo: Command = {
  operands: [],
  options: [...RUN_OPTIONS, JSON_OPTION],
  async run(args, context) {
    const interactive = process.stdin.isTTY;
    let text = "";
    const status = await launch(
      {
        ...readRunOptions(args),
        input: interactive,
        source: async (interrupted) => ({ boot: await demoBoot(interactive, context, interrupted) }),
        ...(interactive ? {} : { onConsole: (bytes) => (text += Buffer.from(bytes).toString("latin1")) }),
      },
      context,
    );
    if (status !== 0 || interactive) return status;
    // The guest's own status, from its last line; a guest that never got there has failed.
    return exitStatusIn(text) ?? EXIT_STATUS.crashed;
  },
};
