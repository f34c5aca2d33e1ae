/** An archive of Debian packages, an empty cache and this process's apt pointed at both: for tests of fetching. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { GuestError } from "../../src/guests/index.js";
import { AptRepository } from "./apt-repository.js";
import { requireTool } from "./requires.js";

/** Sets variables of this process's environment for the rest of the test. */
export function setEnvironment(t: TestContext, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

export interface AptBench {
  repository: AptRepository;
  options: { cacheFolder: string };
}

/** An archive and an empty cache, with apt pointed at the archive; undefined after the test was skipped. */
export async function aptBench(t: TestContext): Promise<AptBench | undefined> {
  if (!requireTool(t, "apt-get")) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-apt-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const repository = new AptRepository(folder);
  setEnvironment(t, { APT_CONFIG: repository.configuration });
  return { repository, options: { cacheFolder: path.join(folder, "cache") } };
}

/** Whether an error is a GuestError of a kind that says something. */
export const isFault = (fault: string, pattern: RegExp) => (error: unknown) =>
  error instanceof GuestError && error.fault === fault && pattern.test(error.message);
