/** A shell of Debian in real time that is saved at its prompt. */
import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type test from "node:test";
import { locore, type KernelFiles } from "./kernel-files.js";

/** Its kernel knows the generation id. */
export const SAVED_GUEST = "debian-13-cloud";
const PROMPT = "~ # ";

/** Its snapshot. */
export async function savedShell(
  t: test.TestContext,
  { kernel, initrd, folder }: KernelFiles,
): Promise<Uint8Array> {
  const file = path.join(folder, "shell.snap");
  const words = [
    "--append",
    "console=ttyS0 cryptomgr.notests=1",
    "--snapshot-at",
    PROMPT,
    "--snapshot",
    file,
  ];
  const { status, err } = await locore(["boot", kernel, "--initrd", initrd, ...words]).during(t).ended;
  assert.equal(status, 0, err);
  assert.match(err, /^locore: saved by snapshot: .* \(status 0, /m);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  return readFile(file);
}
