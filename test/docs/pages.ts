/** Commands of a document, and a shell that runs them as they stand. */
import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** The `sh` blocks of a page, in order. */
export function shellBlocks(page: string): string[] {
  return [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text);
}

/** The commands of a block, one each; a line that ends with a backslash goes on in the next. */
export function commandsOf(block: string): string[] {
  return block
    .replace(/\\\n/g, "")
    .split("\n")
    .filter((line) => line !== "");
}

/**
 * Puts our program into the folder's `bin`, where `runShell` looks first, under a name. `before` is what the script does
 * with its arguments before it hands them on.
 */
export async function putProgram(folder: string, name: string, before = ""): Promise<void> {
  const file = path.join(folder, "bin", name);
  await mkdir(path.dirname(file), { recursive: true });
  const program = `exec "${process.execPath}" "${repositoryRoot}/dist/src/cli/main.js" "$@"`;
  await writeFile(file, `#!/bin/sh\n${before}${program}\n`);
  await chmod(file, 0o755);
}

export interface ShellRun {
  folder: string;
  limitMs: number;
  /** Ends the script and all it started when this was printed. */
  until?: RegExp;
  environment?: Record<string, string>;
}

/** Runs a script without standard input; what it prints on both outputs, and its status. */
export async function runShell(
  script: string,
  { folder, limitMs, until, environment }: ShellRun,
): Promise<{ output: string; status: number | null }> {
  const env = { ...process.env, ...environment, PATH: `${folder}/bin:${process.env["PATH"] ?? ""}` };
  const child = spawn("sh", ["-e", "-c", script], {
    cwd: folder,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(end, limitMs);
  let output = "";
  const heard = (data: Buffer): void => {
    output += data.toString("latin1");
    if (until?.test(output) === true) end();
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return { output, status };
}
