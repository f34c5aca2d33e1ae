/**
 * Fetches Debian packages with the host's own apt, keeping apt's state and cache in folders of ours: the system's
 * lists, locks and package data base are neither read nor written, so any user may do it and empty system lists do
 * no harm. Mirrors, keys, proxies and credentials are the host's. Knows no guest and nothing inside a package.
 *
 * apt checks each package against the archive's signed index. Settings: apt.conf(5), apt-get(8), apt-cache(8).
 */
import { mkdir, stat, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { readHost, readSources } from "./apt-host.js";
import { AptRunner, PARTIAL_FOLDERS } from "./apt-run.js";
import type { AptHooks } from "./apt-run.js";
import { complaintsIn } from "./apt-words.js";
import { GuestError } from "../errors.js";
import { NO_APT_HINT } from "./program.js";
import { parseStanzas } from "./stanzas.js";
import type { Stanza } from "./stanzas.js";
import { writing } from "../cache/storage.js";
import type { Unwritten } from "../cache/storage.js";

/** Lists younger than this are not fetched again unless asked. */
const LISTS_FRESH_MS = 60 * 60_000;
const UPDATED_STAMP = "updated";

/** What of a Debian archive is wanted. */
export interface AptTarget {
  /** Code name, e.g. "bookworm". */
  release: string;
  /** Debian architecture, e.g. "amd64". */
  architecture: string;
}

/** What all fetches of one instance have in common. */
export interface AptOptions extends Pick<AptHooks, "signal"> {
  /** A transfer without any progress for this long, ms, is given up. Default 30,000. */
  stallMs?: number | undefined;
}

function quoted(value: string): string {
  if (/["\n]/.test(value))
    throw new GuestError("usage", `apt cannot be given the path ${JSON.stringify(value)}`);
  return `"${value}"`;
}

/** One version of a package for one architecture ("all" included). */
export interface AptVersion {
  name: string;
  version: string;
  architecture: string;
}

/** A version that can be downloaded, with the size of its package in bytes. */
export interface SizedVersion extends AptVersion {
  size: number;
}

/** `Inst NAME [OLD] (VERSION ORIGIN… [ARCHITECTURE])`: what a simulated installation says of one package. */
const SIMULATED = /^Inst (\S+)(?: \[[^\]]*\])? \((\S+) .*\[(\S+)\]\)/gm;

/** The stanza of a package that apt shall take for installed: what it provides, but nothing that it needs. */
function installedStanza(stanza: Stanza): string {
  const kept = ["package", "version", "architecture", "multi-arch", "provides"];
  const fields = kept.flatMap((name) => (stanza.has(name) ? [`${name}: ${stanza.get(name)}`] : []));
  return ["status: install ok installed", ...fields, ""].join("\n");
}

/** apt as one private instance: a release and an architecture, in a folder of its own. */
export class PrivateApt {
  /** Warnings and errors of the last update, as apt worded them. */
  complaints: string[] = [];
  readonly #runner: AptRunner;
  /** Whether any of the host's sources is a Debian archive. */
  #debian = false;

  private constructor(
    private readonly folder: string,
    readonly target: AptTarget,
    { stallMs }: AptOptions,
  ) {
    this.#runner = new AptRunner(folder, stallMs);
  }

  /**
   * Makes or renews the instance for `target`, in a folder of its name in `folder`. Throws GuestError "no-apt" where there
   * is no apt, and "storage".
   */
  static async open(folder: string, target: AptTarget, options: AptOptions = {}): Promise<PrivateApt> {
    const own = path.join(folder, `${target.release}-${target.architecture}`);
    const apt = new PrivateApt(own, target, options);
    await writing({ what: "the settings of apt", folder }, () => apt.configure(options.signal));
    return apt;
  }

  private async configure(signal: AbortSignal | undefined): Promise<void> {
    const at = (...names: string[]): string => path.join(this.folder, ...names);
    const host = await readHost(signal);
    for (const folder of [...PARTIAL_FOLDERS, "sources"]) await mkdir(at(folder), { recursive: true });
    await this.#runner.sweep();
    const sources = await readSources(host, this.target.release);
    this.#runner.archives = sources.archives;
    this.#debian = sources.debian;
    for (const [style, text] of Object.entries(sources.files))
      await writeFile(at("sources", `host.${style}`), text);
    await writeFile(at("status"), "");
    const settings: Record<string, string> = {
      "APT::Architecture": this.target.architecture,
      "APT::Architectures": this.target.architecture,
      "Dir::State": this.folder,
      "Dir::State::lists": at("lists"),
      "Dir::State::status": at("status"),
      "Dir::Cache": this.folder,
      "Dir::Cache::archives": at("archives"),
      "Dir::Etc::main": "/dev/null",
      "Dir::Etc::parts": "/dev/null",
      "Dir::Etc::preferences": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "Dir::Etc::sourcelist": "/dev/null",
      "Dir::Etc::sourceparts": at("sources"),
      "Dir::Etc::trusted": host.folders.trusted,
      "Dir::Etc::trustedparts": host.folders.trustedParts,
      "Dir::Etc::netrc": host.folders.netrc,
      "Dir::Etc::netrcparts": host.folders.netrcParts,
      "Dir::Cache::srcpkgcache": "",
      "Acquire::GzipIndexes": "true",
      "Acquire::Languages": "none",
      "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled": "false",
      // A retry that is put off can be forgotten by apt 2.6, which then waits for it for ever.
      "Acquire::Retries::Delay": "false",
    };
    // apt gives up root before it downloads, but then cannot reach a cache inside root's home.
    if (process.getuid?.() === 0) settings["APT::Sandbox::User"] = "root";
    const own = Object.entries(settings).map(([key, value]) => `${key} ${quoted(value)};`);
    await writeFile(at("apt.conf"), [...host.settings, ...own, ""].join("\n"));
  }

  /** For people: which package lists these are. */
  private get lists(): string {
    return `the package lists of ${this.target.release} ${this.target.architecture}`;
  }

  /** What it writes besides what it fetches. */
  private get indexed(): Unwritten {
    return { what: `apt's index of ${this.lists}`, folder: this.folder };
  }

  /** The error for what the last update's lists do not have; what went wrong with the update comes first. */
  missing(what: string): GuestError {
    const unreachable = this.#runner.unreachable(this.complaints);
    if (unreachable !== undefined) return unreachable;
    const { release, architecture } = this.target;
    const why = this.#debian ? "" : " None of them is a Debian archive.";
    const lost = `this host's apt sources offer no package ${what} (${release}, ${architecture}).${why}`;
    if (this.complaints.length === 0) return new GuestError("not-found", [lost, NO_APT_HINT].join("\n"));
    const failed = `${this.lists} could not be fetched whole:`;
    return new GuestError("fetch", [failed, ...this.complaints, lost, NO_APT_HINT].join("\n"));
  }

  /**
   * Fetches the package lists, unless those at hand are recent and `force` is false. Returns whether it fetched. One
   * unreachable source among several is no reason to stop: `complaints` keeps what apt said about it.
   */
  async update(force: boolean, hooks: AptHooks = {}): Promise<boolean> {
    const stamp = path.join(this.folder, UPDATED_STAMP);
    const written = await stat(stamp).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    const age = Date.now() - written;
    if (!force && age >= 0 && age < LISTS_FRESH_MS) return false;
    await rm(stamp, { force: true });
    const writes = { what: this.lists, folder: this.folder };
    const { status, stderr } = await this.#runner.fetch({ words: ["update"], hooks, writes });
    this.complaints = complaintsIn(stderr);
    if (status === 0 && this.complaints.length === 0) await writing(writes, () => writeFile(stamp, ""));
    return true;
  }

  /** The newest version of a package in the lists, or the one that is named. Undefined when there is none. */
  async show(name: string, version?: string, hooks: AptHooks = {}): Promise<Stanza | undefined> {
    const wanted = version === undefined ? name : `${name}=${version}`;
    return (await this.showAll([wanted], hooks)).find((stanza) => stanza.get("package") === name);
  }

  /**
   * Every package that installing `wanted` (names, or `name=version`) would bring into an empty system, as apt
   * resolves dependencies, without recommendations; those named in `assumed` count as installed already, and
   * what only they need stays away. Throws GuestError "not-found" with apt's words.
   */
  async resolve(
    wanted: readonly string[],
    assumed: readonly string[],
    hooks: AptHooks = {},
  ): Promise<AptVersion[]> {
    const status = path.join(this.folder, "assumed-status");
    const stanzas = await this.showAll(assumed, hooks);
    await writing(this.indexed, () => writeFile(status, stanzas.map(installedStanza).join("\n")));
    const settings = ["-o", `Dir::State::status=${status}`, "-o", "APT::Install-Recommends=false"];
    const words = [...settings, "--simulate", "--yes", "install", "--", ...wanted];
    const result = await this.#runner.run("apt-get", { words, hooks, writes: this.indexed });
    if (result.status !== 0) {
      const unreachable = this.#runner.unreachable(this.complaints);
      if (unreachable !== undefined) throw unreachable;
      const said = [...result.stdout.split("\n"), ...result.stderr.split("\n")];
      const why = said.filter((line) => /^(E: |\s+\S+ : |\s+(Pre)?Depends:)/.test(line));
      throw new GuestError(
        "not-found",
        [`apt cannot install ${wanted.join(" ")}:`, ...why, ...this.complaints].join("\n"),
      );
    }
    const found = [...result.stdout.matchAll(SIMULATED)];
    return found.map(([, name = "", version = "", architecture = ""]) => ({ name, version, architecture }));
  }

  /** The stanzas of several packages (names, or `name=version`); what the lists do not have is left out. */
  async showAll(wanted: readonly string[], hooks: AptHooks = {}): Promise<Stanza[]> {
    if (wanted.length === 0) return [];
    const words = ["show", "--no-all-versions", ...wanted];
    const { stdout } = await this.#runner.run("apt-cache", { words, hooks, writes: this.indexed });
    return parseStanzas(stdout);
  }

  /** Downloads several versions into `folder` and returns their files' paths in the same order. */
  async download(versions: readonly SizedVersion[], folder: string, hooks: AptHooks = {}): Promise<string[]> {
    const words = ["download", ...versions.map(({ name, version }) => `${name}=${version}`)];
    const what =
      versions.length === 1 ? `${versions[0].name} ${versions[0].version}` : `${versions.length} packages`;
    const needed = versions.reduce((total, { size }) => total + size, 0);
    const { status, stderr } = await this.#runner.fetch({ words, hooks, writes: { what, folder, needed } });
    if (status !== 0) {
      const failed = `apt-get download failed (status ${status}):\n${stderr.trim()}`;
      throw this.#runner.unreachable(complaintsIn(stderr)) ?? new GuestError("fetch", failed);
    }
    return versions.map(({ name, version, architecture }) =>
      path.join(folder, `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`),
    );
  }
}
