/**
 * GRUB's own commands, in QEMU: what GRUB 2.06 of Debian 12 says of kernels that lie on its second disk. Its commands load and
 * check at once, and enter a kernel only by `boot`: one run asks about as many as there are. For tests.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { tarOf } from "../support/archives.js";
import { grubImage } from "../support/grub.js";

export const GRUB_COMMANDS = ["linux", "multiboot", "multiboot2"] as const;
export type GrubCommand = (typeof GRUB_COMMANDS)[number];

/** What a command said of a kernel; nothing where it loads it. */
export type GrubAnswer = Readonly<Record<GrubCommand, string>>;

/** GRUB answers in milliseconds; the machine starts in seconds. */
const SILENCE_MS = 20_000;
const TAIL = 2000;
const MODULES = [
  ...["biosdisk", "tar", "serial", "terminal", "echo", "normal", "test", "halt"],
  ...["linux", "linux16", "multiboot", "multiboot2", "gzio", "xzio", "lzopio"],
];
const MEMORY_MIB = "512";

/** One command about one kernel. */
interface Question {
  readonly index: number;
  readonly command: GrubCommand;
}

/** What it said in place of words where it did not come back. */
export const GRUB_STUCK = "(it does not come back)";

/** The lines of GRUB's script that ask. */
function lines({ index, command }: Question): string[] {
  return [`echo "@@ ${index} ${command}"`, `${command} (hd1)/${index}`, 'echo "@= $?"'];
}

/** What each command says of each kernel; undefined after the test was skipped. */
export async function askGrub(
  t: TestContext,
  qemu: string,
  kernels: readonly Uint8Array[],
): Promise<readonly GrubAnswer[] | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-grub-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [first, second] = [path.join(folder, "grub"), path.join(folder, "kernels")];
  await writeFile(second, tarOf(kernels.map((bytes, i) => ({ name: String(i), bytes }))));
  const answers = kernels.map((): Record<GrubCommand, string> => ({
    linux: "",
    multiboot: "",
    multiboot2: "",
  }));
  let left = kernels.flatMap((_, index) => GRUB_COMMANDS.map((command): Question => ({ index, command })));
  while (left.length > 0) {
    const script = ["serial --unit=0", "terminal_output serial", ...left.flatMap(lines), "halt"];
    const disk = await grubImage(t, {
      format: "i386-pc",
      modules: MODULES,
      files: { "ask.cfg": new TextEncoder().encode(`${script.join("\n")}\n`) },
      config: "normal (memdisk)/ask.cfg\n",
    });
    if (disk === undefined) return undefined;
    await writeFile(first, disk);
    const output = await run(t, qemu, [first, second]);
    const unanswered = left.findIndex(({ index, command }) => {
      const said = answerIn(output, index, command);
      if (said !== undefined) answers[index][command] = said;
      return said === undefined;
    });
    if (unanswered < 0) break;
    const { index, command } = left[unanswered];
    if (!output.includes(`@@ ${index} ${command}`)) throw new Error(`GRUB ends: ${output.slice(-TAIL)}`);
    answers[index][command] = GRUB_STUCK;
    left = left.slice(unanswered + 1);
  }
  return answers;
}

/** The serial output of a BIOS machine of QEMU with these disks, until it ends or has said nothing for a while. */
async function run(t: TestContext, qemu: string, disks: readonly string[]): Promise<string> {
  const drives = disks.flatMap((file) => ["-drive", `format=raw,file=${file}`]);
  const machine = ["-display", "none", "-serial", "stdio", "-no-reboot", "-m", MEMORY_MIB, "-accel", "tcg"];
  const child = spawn(qemu, [...machine, ...drives], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  let silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS);
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString("latin1");
    clearTimeout(silence);
    silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS);
  });
  await once(child, "close");
  clearTimeout(silence);
  return output;
}

/** What was said between the marks; empty where the command loaded the kernel. */
function answerIn(output: string, index: number, command: GrubCommand): string | undefined {
  const text = new RegExp(`@@ ${index} ${command}\\s([^]*?)@= (\\d+)`).exec(output);
  if (text === null) return undefined;
  return text[2] === "0" ? "" : text[1].replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, "").trim();
}
