/**
 * `locore initramfs [PACKAGE…] --output FILE`: an initramfs of busybox and Debian packages with all they depend on.
 * Knows where they come from only by the guests' door.
 */
import { createHash } from "node:crypto";
import type { AddedFile, GuestEnd, PackageSet, PullOptions } from "../../guests/index.js";
import { UsageError, type Arguments } from "../args.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { writeOutput } from "../files.js";
import { showingProgress } from "../progress.js";

const MEBIBYTE = 2 ** 20;
/** Comes with every package: under it their programs count before busybox's of the same name. */
const SHELL = "dash";
const BUSYBOX: Readonly<Record<string, string>> = { amd64: "busybox", i386: "busybox-i386" };
const ENDS: readonly GuestEnd[] = ["poweroff", "reboot", "halt"];

/** `HOST:GUEST`, the last colon counting. */
function addedFile(text: string): AddedFile {
  const colon = text.lastIndexOf(":/");
  if (colon <= 0) throw new UsageError(`--add ${text}: expected HOST:GUEST, e.g. --add ./tests:/root/tests`);
  return { from: text.slice(0, colon), to: text.slice(colon + 1) };
}

/** Fetches what is asked for and packs it. */
async function build(
  args: Arguments,
  pulling: PullOptions,
): Promise<{ bytes: Uint8Array; packages: PackageSet | undefined }> {
  const files = args.values("add").map(addedFile);
  const { fetchPackages, packInitramfs, pullGuest } = await import("../../guests/index.js");
  const architecture = args.value("arch") ?? "amd64";
  const busybox = await pullGuest(BUSYBOX[architecture], pulling);
  const request = { architecture, release: args.value("release"), assume: args.values("assume") };
  const packages =
    args.operands.length === 0
      ? undefined
      : await fetchPackages({ ...request, packages: [SHELL, ...args.operands] }, pulling);
  const options = {
    busybox: busybox.files["busybox"],
    packages,
    files,
    command: args.value("command"),
    ...(args.has("shell") ? { shell: true } : {}),
    end: args.value("end") as GuestEnd | undefined,
  };
  return { bytes: await packInitramfs(options, pulling.signal), packages };
}

async function run(args: Arguments, context: CommandContext): Promise<number> {
  const output = args.value("output");
  if (output === undefined)
    throw new UsageError("--output FILE is missing", "it is where the initramfs goes");
  const { bytes, packages } = await showingProgress(context.stderr, (options) =>
    build(args, { ...options, refresh: args.has("refresh") }),
  );
  await writeOutput(output, bytes);
  const named = (packages?.packages ?? []).map(({ name, version, sha256 }) => ({ name, version, sha256 }));
  if (args.has("json")) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const about = { output, size: bytes.length, sha256, release: packages?.release, packages: named };
    context.stdout.write(`${JSON.stringify(about, undefined, 2)}\n`);
  } else {
    const size = (bytes.length / MEBIBYTE).toFixed(1);
    const lines = named.map(({ name, version }) => `  ${name} ${version}`);
    printLines(context.stdout, [`${output}: ${size} MiB, ${named.length} packages`, ...lines]);
  }
  return 0;
}

export const initramfs: Command = {
  description: [
    "Packages are resolved and verified by this host's apt and cached. No maintainer script is run, so links that " +
      "update-alternatives makes and accounts are missing. Give the guest memory for twice the size of the file.",
  ],
  operands: [{ name: "PACKAGE…", required: false, help: "names as apt knows them, also NAME=VERSION" }],
  options: [
    {
      name: "output",
      aliases: ["o"],
      value: "FILE",
      help: "where to write it, an uncompressed cpio archive",
    },
    { name: "arch", value: "ARCH", choices: Object.keys(BUSYBOX), help: "of the packages (default amd64)" },
    { name: "release", value: "NAME", help: "Debian's code name, e.g. trixie (default bookworm)" },
    {
      name: "assume",
      value: "PACKAGE",
      repeats: true,
      help: "leave out, with what only it needs; may be repeated",
    },
    {
      name: "add",
      value: "HOST:GUEST",
      repeats: true,
      help: "add a file or folder of this host; may be repeated",
    },
    { name: "command", value: "TEXT", help: "what the guest runs instead of a shell" },
    { name: "shell", help: "a shell after the command" },
    { name: "end", value: "WAY", choices: ENDS, help: "how the machine ends afterwards (default poweroff)" },
    { name: "refresh", help: "look for newer versions even if some are cached" },
    JSON_OPTION,
  ],
  examples: [
    [
      "locore initramfs openssl -o initrd --command 'openssl speed -evp aes-128-gcm'",
      "one program and its libraries",
    ],
    [
      "locore initramfs python3 --arch i386 --add .:/root/work -o initrd",
      "a 32-bit guest with a folder of yours",
    ],
  ],
  run,
};
