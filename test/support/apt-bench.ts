/** An archive of Debian packages, an empty cache and this process's apt pointed at both: for tests of fetching. */
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { GuestError } from "../../src/guests/index.js";
import { AptRepository } from "./apt-repository.js";
import { ArchiveServer } from "./archive-server.js";
import { requireTool } from "./requires.js";

/** Sets variables of this process's environment for the rest of the test. */
export function setEnvironment(t: TestContext, values: Record<string, string | undefined>): void {
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    put(name, value);
    t.after(() => put(name, before));
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

/** The same with a server in front of the archive, which is asked instead of the folder. */
export async function servedBench(
  t: TestContext,
): Promise<(AptBench & { server: ArchiveServer }) | undefined> {
  const made = await aptBench(t);
  if (!made) return undefined;
  const server = await ArchiveServer.start(t, made.repository.pool);
  made.repository.uri = `http://${server.host}`;
  return { ...made, server };
}

/** Ids of the processes whose environment holds `text`, as apt's hold the path of their configuration. */
export async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc").catch(() => [])) {
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (environment.includes(text) && Number(name) !== process.pid) found.push(Number(name));
  }
  return found;
}

/** Whether an error is a GuestError of a kind that says something. */
export const isFault = (fault: string, pattern: RegExp) => (error: unknown) =>
  error instanceof GuestError && error.fault === fault && pattern.test(error.message);
