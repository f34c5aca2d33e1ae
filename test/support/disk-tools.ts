/** Real file systems and partition tables, made without root by the programs of Debian packages. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { BlockSource } from "../../src/block/backend.js";
import { requireTool } from "./requires.js";

/** A folder that is gone after the test. */
export function scratch(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "locore-disk-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An empty file of so many bytes. */
export function emptyFile(folder: string, name: string, size: number): string {
  const file = path.join(folder, name);
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}

/** Runs a program and gives what it printed; undefined after the test was skipped, as it is not installed. */
export function run(
  t: TestContext,
  program: string,
  args: readonly string[],
  input?: string,
): string | undefined {
  const tool = requireTool(t, program);
  if (tool === undefined) return undefined;
  const { status, stdout, stderr, error } = spawnSync(tool, args, { encoding: "utf8", input: input ?? "" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A file's bytes, closed after the test. */
export function fileSource(t: TestContext, file: string): BlockSource {
  const descriptor = openSync(file, "r");
  t.after(() => closeSync(descriptor));
  return {
    size: fstatSync(descriptor).size,
    read: (offset, into) => void readSync(descriptor, into, 0, into.length, offset),
  };
}

/** What `blkid -p` says of a file, by name. */
export function probed(t: TestContext, file: string): Map<string, string> | undefined {
  const text = run(t, "blkid", ["-p", "-o", "export", file]);
  if (text === undefined) return undefined;
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1).replace(/\\(.)/g, "$1"));
  }
  return values;
}
