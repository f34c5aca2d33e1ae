/**
 * A process of its own for `full-disk.test.ts`, whose cache is a file system of some size that only it sees: pulls a
 * guest, makes room, pulls again, and prints what came of it as JSON.
 */
import { execFileSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { GuestError, listGuests, pullGuest } from "../../src/guests/index.js";

/** What came of it. */
export interface FullDiskReport {
  /** The error of the first pull. */
  fault: string;
  code: string | undefined;
  message: string;
  /** How long it took, ms. */
  elapsed: number;
  /** What is left of it: what lies in the cache, in apt's partial folders and in its temporary one. */
  cache: string[];
  partial: string[];
  /** The version that is believed to be cached. */
  believed: string | undefined;
  /** The version of the second pull. */
  version: string;
}

const [mount = "", room = "", stallMs] = process.argv.slice(2);
const options = {
  cacheFolder: path.join(mount, "locore"),
  stallMs: stallMs === undefined ? undefined : Number(stallMs),
};
const start = performance.now();
const error = await pullGuest("debian-cloud", options).catch((thrown: unknown) => thrown);
if (!(error instanceof GuestError)) throw new Error(`expected a GuestError, found ${String(error)}`);
const elapsed = performance.now() - start;
const apt = path.join(options.cacheFolder, "apt", "bookworm-amd64");
const partial = ["lists/partial", "archives/partial", "tmp"].map((name) =>
  readdir(path.join(apt, name)).catch(() => []),
);
const left = {
  cache: (await readdir(options.cacheFolder)).sort(),
  partial: (await Promise.all(partial)).flat(),
  believed: (await listGuests(options)).find(({ name }) => name === "debian-cloud")?.cachedVersion,
};
execFileSync("mount", ["-o", `remount,size=${room}`, mount]);
const { version } = await pullGuest("debian-cloud", options);
const { fault, code, message } = error;
const report: FullDiskReport = { fault, code, message, elapsed, ...left, version };
process.stdout.write(JSON.stringify(report));
