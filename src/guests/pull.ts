/**
 * Fetches a guest of the catalogue into the cache, or finds it there. A warm cache needs no network and no apt.
 */
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { PrivateApt } from "./apt/apt.js";
import type { AptTarget, SizedVersion } from "./apt/apt.js";
import { GuestCache, sha256 } from "./cache/cache.js";
import { defaultCacheFolder } from "./cache/folder.js";
import type { GuestRecord } from "./cache/cache.js";
import { CATALOGUE } from "./catalogue/catalogue.js";
import type { CatalogueEntry } from "./catalogue/catalogue.js";
import { suiteKernel, suiteNames } from "./catalogue/suite-kernels.js";
import { GuestError } from "./errors.js";
import { withLists } from "./apt/lists.js";
import { offThread } from "./off-thread.js";
import { parseDependencies } from "./apt/stanzas.js";

/** What a running pull is doing. `fraction` (0–1) is there when it is known. */
export interface PullProgress {
  guest: string;
  step: "waiting" | "lists" | "download" | "unpack";
  detail: string;
  fraction?: number;
}

export interface PullOptions {
  progress?: ((event: PullProgress) => void) | undefined;
  /** Fetch even if a verified copy is cached. */
  refresh?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Default: `$XDG_CACHE_HOME/locore`, else `~/.cache/locore`. */
  cacheFolder?: string | undefined;
  /** A transfer without any progress for this long, ms, is given up. Default 30,000. */
  stallMs?: number | undefined;
}

/** A guest as files on this host. */
export interface PulledGuest {
  name: string;
  /** Absolute paths by role: `kernel` and `config`, or `busybox`. */
  files: Record<string, string>;
  /** The resolved package and version. */
  package: string;
  version: string;
  licence: string;
  source: string;
  /** Whether it was in the cache already. */
  cached: boolean;
  /** The file that says which files these are. */
  record: string;
}

/** What `guests list` shows of one guest. */
export interface GuestListing extends Pick<
  CatalogueEntry,
  "name" | "what" | "source" | "verified" | "licence" | "shows"
> {
  package: string;
  /** The version in the cache, if there is one. */
  cachedVersion?: string;
}

/** The package to download, and the digest that the signed index promises for it. */
interface Resolved extends SizedVersion {
  sha256: string;
}

/** What the guests of the catalogue are called, in its order. */
export function guestNames(): string[] {
  return CATALOGUE.map(({ name }) => name);
}

/** Every name that a guest can be pulled by: those of the catalogue, then those of Debian's releases. */
export function allGuestNames(): string[] {
  return [...guestNames(), ...suiteNames()];
}

function entryNamed(name: string): CatalogueEntry {
  const entry = CATALOGUE.find((candidate) => candidate.name === name) ?? suiteKernel(name);
  if (entry) return entry;
  const known = guestNames().join(", ");
  throw new GuestError("unknown", `there is no guest "${name}"; the catalogue has ${known}`);
}

/** Of which release and architecture a guest is. Throws GuestError for an unknown name. */
export function targetOf(name: string): AptTarget {
  return entryNamed(name).target;
}

function asPulled(
  entry: CatalogueEntry,
  cache: GuestCache,
  record: GuestRecord,
  cached: boolean,
): PulledGuest {
  const roles = Object.entries(record.files);
  return {
    name: entry.name,
    files: Object.fromEntries(
      roles.map(([role, file]) => [role, path.join(cache.guestFolder(entry.name), file.path)]),
    ),
    package: record.package,
    version: record.version,
    licence: entry.licence,
    source: entry.source,
    cached,
    record: cache.recordFile(entry.name),
  };
}

/** Every guest of the catalogue, with the version that is cached. */
export async function listGuests(options: Pick<PullOptions, "cacheFolder"> = {}): Promise<GuestListing[]> {
  const cache = new GuestCache(options.cacheFolder ?? defaultCacheFolder());
  const list = async (entry: CatalogueEntry): Promise<GuestListing> => {
    const { name, what, source, verified, licence, shows } = entry;
    const record = await cache.record(name);
    const cachedVersion = record === undefined ? {} : { cachedVersion: record.version };
    return { name, what, source, verified, licence, shows, package: entry.package, ...cachedVersion };
  };
  return Promise.all(CATALOGUE.map(list));
}

/** Finds the real package behind metapackages, its version, and the digest that the signed index promises. */
async function resolve(apt: PrivateApt, entry: CatalogueEntry, options: PullOptions): Promise<Resolved> {
  let stanza = await apt.show(entry.package, undefined, options);
  if (!stanza) throw apt.missing(entry.package);
  for (const pattern of [entry.dependsOn ?? []].flat()) {
    const all = parseDependencies(stanza.get("depends") ?? "");
    const real = all.find(({ name }) => pattern.test(name));
    if (!real) throw apt.missing(`behind ${stanza.get("package")} (${pattern.source})`);
    stanza = await apt.show(real.name, real.exactVersion, options);
    if (!stanza) throw apt.missing(real.name);
  }
  const name = stanza.get("package") ?? "";
  const version = stanza.get("version");
  const digest = stanza.get("sha256");
  if (version === undefined || digest === undefined) {
    throw new GuestError("damaged", `the index names no version or no SHA-256 for ${name}`);
  }
  const size = Number(stanza.get("size") ?? 0);
  const architecture = stanza.get("architecture") ?? entry.target.architecture;
  return { name, version, architecture, size, sha256: digest };
}

/** Fetches and stores one guest; the cache's lock is held. */
async function fetchGuest(
  entry: CatalogueEntry,
  cache: GuestCache,
  temporary: string,
  options: PullOptions,
): Promise<GuestRecord> {
  const report = (step: PullProgress["step"], detail: string, fraction?: number): void =>
    options.progress?.({ guest: entry.name, step, detail, ...(fraction === undefined ? {} : { fraction }) });
  const hooks = (step: PullProgress["step"]) => ({
    signal: options.signal,
    onProgress: (detail: string, fraction: number) => report(step, detail, fraction),
  });
  const { release, architecture } = entry.target;
  const apt = await PrivateApt.open(cache.aptFolder, entry.target, options);
  const update = async (force: boolean): Promise<boolean> => {
    report("lists", `package lists of ${release} ${architecture}`);
    return apt.update(force, hooks("lists"));
  };
  const { resolved, file } = await withLists(options.refresh ?? false, update, async () => {
    const found = await resolve(apt, entry, options);
    report("download", `${found.name} ${found.version}`);
    const [downloaded] = await apt.download([found], temporary, hooks("download"));
    return { resolved: found, file: downloaded };
  });
  const bytes = await readFile(file);
  // Its room may be what the files need.
  await rm(file);
  if (sha256(bytes) !== resolved.sha256) {
    throw new GuestError(
      "damaged",
      `${resolved.name} ${resolved.version}: found SHA-256 ${sha256(bytes)}, expected ${resolved.sha256}`,
    );
  }
  report("unpack", `${resolved.name} ${resolved.version}`);
  const taken = Object.entries(await offThread("filesFromDeb", [bytes, entry.files], options.signal));
  const about = {
    name: entry.name,
    package: resolved.name,
    version: resolved.version,
    packageSha256: resolved.sha256,
  };
  const bases = taken.map(([, { path: inside }]) => path.posix.basename(inside));
  const files = taken.map(([role, { bytes: content }], i) => {
    const alone = bases.indexOf(bases[i]) === bases.lastIndexOf(bases[i]);
    return [role, { fileName: alone ? bases[i] : `${role}-${bases[i]}`, bytes: content }];
  });
  return cache.store({ ...about, release, architecture }, Object.fromEntries(files));
}

/**
 * Makes a guest's files available. Throws GuestError: an unknown name, a host without apt, nothing found in the
 * archive, a failed transfer, or a damaged package; the message says what to do instead.
 */
export async function pullGuest(name: string, options: PullOptions = {}): Promise<PulledGuest> {
  return pullEntry(entryNamed(name), options);
}

/** The same for what the catalogue does not list; its name is its folder in the cache. */
export async function pullEntry(entry: CatalogueEntry, options: PullOptions = {}): Promise<PulledGuest> {
  const { name } = entry;
  const cache = new GuestCache(options.cacheFolder ?? defaultCacheFolder());
  const ready = options.refresh ? undefined : await cache.verified(name);
  if (ready) return asPulled(entry, cache, ready, true);
  const onWait = (): void =>
    options.progress?.({ guest: name, step: "waiting", detail: "another process that is fetching guests" });
  const work = async (temporary: string): Promise<PulledGuest> => {
    const meanwhile = options.refresh ? undefined : await cache.verified(name);
    if (meanwhile) return asPulled(entry, cache, meanwhile, true);
    return asPulled(entry, cache, await fetchGuest(entry, cache, temporary, options), false);
  };
  return cache.exclusively(work, { signal: options.signal, onWait });
}
