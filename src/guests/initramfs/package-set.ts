/**
 * Debian packages with all they depend on: resolved and fetched by apt, kept in the cache. A set that was fetched
 * once is found again without network and without apt. Knows nothing of what is inside a package.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { PrivateApt } from "../apt/apt.js";
import type { AptTarget, AptVersion, SizedVersion } from "../apt/apt.js";
import { GuestCache, sha256OfFile, writeAtomically } from "../cache/cache.js";
import { defaultCacheFolder } from "../cache/folder.js";
import { GuestError } from "../errors.js";
import { withLists } from "../apt/lists.js";
import type { PullOptions, PullProgress } from "../pull.js";

/** Which packages are wanted. */
export interface PackageRequest {
  /** Names as apt takes them, also `name=version`. */
  packages: readonly string[];
  /** Debian release by its code name. Default "bookworm". */
  release?: string | undefined;
  /** Debian architecture, "amd64" or "i386" for guests that run here. Default "amd64". */
  architecture?: string | undefined;
  /** Packages that count as present, so that neither they nor what only they need are fetched. */
  assume?: readonly string[] | undefined;
}

/** One package of a set, as a file on this host. */
export interface FetchedPackage extends AptVersion {
  sha256: string;
  file: string;
}

/** A request's packages with all they depend on, sorted by name. */
export interface PackageSet {
  release: string;
  architecture: string;
  packages: readonly FetchedPackage[];
  /** Whether all of it was in the cache already. */
  cached: boolean;
  /** The file that says which packages these are. */
  record: string;
}

const DEFAULT_TARGET: AptTarget = { release: "bookworm", architecture: "amd64" };
/** What serves maintainer scripts alone, none of which is run. */
export const INSTALLATION_ONLY: readonly string[] = [
  ...["adduser", "debconf", "dpkg", "init-system-helpers", "install-info", "sensible-utils", "ucf"],
];
const FOLDER = "packages";
/** Debian Policy §5.6.7 and §5.6.12: a name, and a version where one is demanded. Never an option of apt. */
const PACKAGE_NAME = /^[a-z0-9][a-z0-9+.-]*(=[A-Za-z0-9][A-Za-z0-9.+~:-]*)?$/;
/** A release and an architecture become names of folders and of suites. */
const TARGET_NAME = /^[a-z0-9][a-z0-9-]*$/;

type Recorded = Omit<FetchedPackage, "file">;
/** What the signed index says of a package. */
type Resolved = Recorded & SizedVersion;

/** The name under which a request's set is recorded: a digest over everything that decides it. */
function requestDigest(target: AptTarget, packages: readonly string[], assume: readonly string[]): string {
  const text = JSON.stringify([target.release, target.architecture, packages, assume]);
  return createHash("sha256").update(text).digest("hex");
}

/** The packages of one request in one cache. */
class SetFetcher {
  readonly target: AptTarget;
  readonly #packages: readonly string[];
  readonly #assume: readonly string[];
  readonly #folder: string;
  readonly #record: string;

  constructor(
    request: PackageRequest,
    readonly cache: GuestCache,
    readonly options: PullOptions,
  ) {
    const { release = DEFAULT_TARGET.release, architecture = DEFAULT_TARGET.architecture } = request;
    this.target = { release, architecture };
    this.#packages = [...new Set(request.packages)].sort();
    const bare = new Set(this.#packages.map((name) => name.replace(/=.*$/, "")));
    const assumed = [...INSTALLATION_ONLY, ...(request.assume ?? [])];
    this.#assume = [...new Set(assumed)].filter((name) => !bare.has(name)).sort();
    this.#folder = path.join(cache.folder, FOLDER);
    const digest = requestDigest(this.target, this.#packages, this.#assume);
    this.#record = path.join(this.#folder, `${digest}.json`);
  }

  #fileOf({ sha256 }: Recorded): string {
    return path.join(this.#folder, `${sha256}.deb`);
  }

  async #isThere(recorded: Recorded): Promise<boolean> {
    const digest = await sha256OfFile(this.#fileOf(recorded)).catch(() => undefined);
    return digest === recorded.sha256;
  }

  #asSet(recorded: readonly Recorded[], cached: boolean): PackageSet {
    const packages = recorded.map((one) => ({ ...one, file: this.#fileOf(one) }));
    return { ...this.target, packages, cached, record: this.#record };
  }

  /** The set as recorded, when every package is there and is what was recorded. */
  async cached(): Promise<PackageSet | undefined> {
    if (this.options.refresh) return undefined;
    let recorded: Recorded[];
    try {
      recorded = JSON.parse(await readFile(this.#record, "utf8")) as Recorded[];
    } catch {
      return undefined;
    }
    for (const one of recorded) if (!(await this.#isThere(one))) return undefined;
    return this.#asSet(recorded, true);
  }

  #report(step: PullProgress["step"], detail: string, fraction?: number): void {
    const guest = `packages for ${this.target.release} ${this.target.architecture}`;
    this.options.progress?.({ guest, step, detail, ...(fraction === undefined ? {} : { fraction }) });
  }

  /** What apt would install, with the digests of the signed index. */
  async #resolve(apt: PrivateApt): Promise<Resolved[]> {
    const versions = await apt.resolve(this.#packages, this.#assume, this.options);
    const stanzas = await apt.showAll(
      versions.map(({ name, version }) => `${name}=${version}`),
      this.options,
    );
    const known = new Map(
      stanzas.map((stanza) => [`${stanza.get("package")}=${stanza.get("version")}`, stanza]),
    );
    const resolved = versions.map((one): Resolved => {
      const stanza = known.get(`${one.name}=${one.version}`);
      const sha256 = stanza?.get("sha256");
      const size = Number(stanza?.get("size") ?? 0);
      if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) return { ...one, sha256, size };
      throw new GuestError("damaged", `the index names no SHA-256 for ${one.name} ${one.version}`);
    });
    return resolved.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Downloads what is not there yet, checks it, and puts it into the cache. */
  async #download(apt: PrivateApt, wanted: readonly Resolved[], temporary: string): Promise<void> {
    const missing: Resolved[] = [];
    for (const one of wanted) if (!(await this.#isThere(one))) missing.push(one);
    if (missing.length === 0) return;
    this.#report("download", `${missing.length} package${missing.length === 1 ? "" : "s"}`);
    const files = await apt.download(missing, temporary, {
      signal: this.options.signal,
      onProgress: (detail, fraction) => this.#report("download", detail, fraction),
    });
    for (const [index, one] of missing.entries()) {
      const found = await sha256OfFile(files[index]);
      if (found !== one.sha256) {
        throw new GuestError(
          "damaged",
          `${one.name} ${one.version}: found SHA-256 ${found}, expected ${one.sha256}`,
        );
      }
      await rename(files[index], this.#fileOf(one));
    }
  }

  /** Resolves, downloads and records; the cache's lock is held. */
  async fetch(temporary: string): Promise<PackageSet> {
    const { release, architecture } = this.target;
    await mkdir(this.#folder, { recursive: true });
    const apt = await PrivateApt.open(this.cache.aptFolder, this.target, this.options);
    const update = async (force: boolean): Promise<boolean> => {
      this.#report("lists", `package lists of ${release} ${architecture}`);
      return apt.update(force, { signal: this.options.signal });
    };
    const recorded = await withLists(this.options.refresh ?? false, update, async () => {
      const found = await this.#resolve(apt);
      await this.#download(apt, found, temporary);
      return found.map(({ name, version, architecture, sha256 }) => ({
        name,
        version,
        architecture,
        sha256,
      }));
    });
    const text = `${JSON.stringify(recorded, undefined, 2)}\n`;
    await writeAtomically(this.#record, new TextEncoder().encode(text));
    return this.#asSet(recorded, false);
  }
}

/**
 * Makes packages and all they depend on available as files. Throws GuestError: a host without apt, a package that
 * there is not or that cannot be installed with the others, a failed transfer, or a damaged package.
 */
export async function fetchPackages(request: PackageRequest, options: PullOptions = {}): Promise<PackageSet> {
  if (request.packages.length === 0) throw new GuestError("usage", "no package is named");
  const odd = [...request.packages, ...(request.assume ?? [])].find((name) => !PACKAGE_NAME.test(name));
  if (odd !== undefined) throw new GuestError("usage", `${JSON.stringify(odd)} is no name of a package`);
  for (const name of [request.release, request.architecture]) {
    if (name !== undefined && !TARGET_NAME.test(name)) {
      throw new GuestError("usage", `${JSON.stringify(name)} is no name of a release or an architecture`);
    }
  }
  const cache = new GuestCache(options.cacheFolder ?? defaultCacheFolder());
  const fetcher = new SetFetcher(request, cache, options);
  const ready = await fetcher.cached();
  if (ready) return ready;
  const guest = request.packages.join(" ");
  const onWait = (): void =>
    options.progress?.({ guest, step: "waiting", detail: "another process that is fetching guests" });
  const work = async (temporary: string): Promise<PackageSet> =>
    (await fetcher.cached()) ?? (await fetcher.fetch(temporary));
  return cache.exclusively(work, { signal: options.signal, onWait });
}
