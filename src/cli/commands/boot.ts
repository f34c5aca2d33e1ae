/** `locore boot KERNEL`: runs a kernel. */
import { BOOT_OPERANDS, BOOT_OPTIONS } from "../boot-request.js";
import { JSON_OPTION, type Command } from "../command.js";
import { withGuestFiles } from "../guest-files.js";
import { machineSource } from "../make-plan.js";
import { askedRequest } from "../asked-request.js";
import { launch, type LaunchOptions } from "../launch.js";
import { progressLine } from "../progress.js";
import { NET_RUN_OPTIONS, readNet } from "../net-option.js";
import { readRunOptions, RUN_OPTIONS } from "../run-options.js";
import { refuseSavingShares } from "../snapshot-options.js";
import { QEMU_PARAGRAPH, qemuWords } from "../qemu/about.js";

export const boot: Command = {
  description: [
    "A guest that resets the machine gets a machine as it was planned, unless it panicked before: then the run ends.",
    "On a terminal every key goes to the guest; Ctrl-A x quits, Ctrl-A h lists keys. With a pipe as standard input " +
      "its bytes are typed in; the end of the pipe is no key.",
    "Console output goes to standard output, everything locore says goes to standard error. The last line says how " +
      "the machine ended; with --json it is one JSON object: " +
      '{"kind","machine","route","status","reason","instructions","resets","clockNs"}; "machine" is what a panicked guest came to; "screen" and "firmwareLog" are there when asked for.',
    QEMU_PARAGRAPH,
  ],
  operands: BOOT_OPERANDS,
  options: [
    ...BOOT_OPTIONS,
    ...RUN_OPTIONS,
    ...NET_RUN_OPTIONS,
    { ...JSON_OPTION, help: "report the end as one line of JSON on standard error" },
  ],
  foreign: qemuWords,
  examples: [
    ["locore boot vmlinuz --initrd initrd.img --append console=ttyS0", "boot Linux with its console here"],
    ["locore boot -kernel vmlinuz -initrd initrd.img -m 512 -nographic", "the same in QEMU's words"],
    ["locore boot vmlinuz -o loader.entry=32 --deterministic", "by the 32-bit entry, the same on every run"],
    ["locore boot ipxe.lkrn -o loader.bios=on", "SeaBIOS first, then the image by its 16-bit entry"],
    ["locore boot memtest.bin --screen --timeout 60", "a program that writes to a VGA's text screen"],
    ["locore boot --plan p.json", "a machine that plan --json wrote, edited or not"],
    [
      'locore boot vmlinuz --initrd i --snapshot-at "# " --snapshot shell.snap',
      "save the machine at its prompt",
    ],
    ["locore boot bios.bin --firmware-log", "firmware from its reset vector, with its log"],
  ],
  async run(args, context) {
    const request = await askedRequest(args);
    const options = readRunOptions(args);
    refuseSavingShares(request, options);
    const source: LaunchOptions["source"] = async (signal) => {
      const progress = progressLine(context.stderr);
      try {
        const files = await withGuestFiles(request, { progress: progress.show, signal });
        return await machineSource(files, signal);
      } finally {
        progress.done();
      }
    };
    const screen = request.screen ?? false;
    const net = readNet(args, request.net)?.request;
    return launch(
      { ...options, ...(net && { net }), screen, input: request.clock.deterministic === undefined, source },
      context,
    );
  },
};
