/**
 * The upstream sources of a Debian package, fetched and checked by apt against the archive's signed index, and kept in the cache.
 * A private apt of ours with its sources turned from packages to their sources; dpkg's tools are not needed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { PrivateApt } from "../../src/guests/apt/apt.js";
import { defaultCacheFolder } from "../../src/guests/cache/folder.js";
import { GuestError } from "../../src/guests/index.js";
import { missing } from "./requires.js";

const TARGET = { release: "bookworm", architecture: "amd64" };
const WITH_SOURCES = ["-o", "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=true"];
const UPSTREAM = /\.orig\.tar\.\w+$/;

/** The archive of the sources, where it is what the package's description says. */
function upstreamIn(folder: string): string | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  const [archive, description] = [
    names.find((name) => UPSTREAM.test(name)),
    names.find((name) => name.endsWith(".dsc")),
  ];
  if (archive === undefined || description === undefined) return undefined;
  const digest = createHash("sha256")
    .update(readFileSync(path.join(folder, archive)))
    .digest("hex");
  const promised = readFileSync(path.join(folder, description), "utf8").includes(` ${digest} `);
  return promised ? path.join(folder, archive) : undefined;
}

async function fetchSources(name: string, work: string): Promise<void> {
  await PrivateApt.open(work, TARGET);
  const own = path.join(work, `${TARGET.release}-${TARGET.architecture}`);
  const sources = path.join(own, "sources");
  for (const file of readdirSync(sources)) {
    const text = readFileSync(path.join(sources, file), "utf8");
    writeFileSync(
      path.join(sources, file),
      text.replace(/^Types: deb$/gm, "Types: deb-src").replace(/^deb /gm, "deb-src "),
    );
  }
  const downloads = path.join(work, name);
  mkdirSync(downloads);
  const env = { ...process.env, APT_CONFIG: path.join(own, "apt.conf"), LC_ALL: "C" };
  for (const words of [["update"], ["--download-only", "source", name]]) {
    const run = spawnSync("apt-get", [...WITH_SOURCES, ...words], { cwd: downloads, env, encoding: "utf8" });
    if (run.status !== 0) throw new GuestError("fetch", `apt-get ${words.join(" ")}: ${run.stderr}`);
  }
}

/** The archive of a package's upstream sources: its path, or undefined after the test was skipped. */
export async function requireSources(t: TestContext, name: string): Promise<string | undefined> {
  const cache = path.join(defaultCacheFolder(), "tests");
  const folder = path.join(cache, `source-${name}`);
  const kept = upstreamIn(folder);
  if (kept !== undefined) return kept;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(path.join(cache, "unfinished-"));
  try {
    await fetchSources(name, work);
    rmSync(folder, { recursive: true, force: true });
    renameSync(path.join(work, name), folder);
    const fetched = upstreamIn(folder);
    if (fetched === undefined)
      throw new GuestError("damaged", `the sources of ${name} are not what they say`);
    return fetched;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    missing(t, `the sources of ${name} cannot be had: ${error.message}`);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
