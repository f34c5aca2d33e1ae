/**
 * Fetches Debian packages with the host's own apt, keeping apt's state and cache in folders of ours: the system's
 * lists, locks and package data base are neither read nor written, so any user may do it and empty system lists do
 * no harm. Mirrors, keys, proxies and credentials are the host's. Knows no guest and nothing inside a package.
 *
 * apt checks each package against the archive's signed index. Settings: apt.conf(5), apt-get(8), apt-cache(8).
 */
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { GuestError } from "./errors.js";
import { runProgram } from "./program.js";
import { rewriteSources } from "./sources.js";
import type { SourcesStyle } from "./sources.js";
import { parseStanzas } from "./stanzas.js";
import type { Stanza } from "./stanzas.js";

/** Settings of the host that decide how it reaches its mirrors; index targets and languages are ours. */
const INHERITED =
  /^(Dir|Dir::Bin(::\S*)?|Acquire::(?!IndexTargets|CompressionTypes|Changelogs|Languages)\S+) /;
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

/** How a running fetch talks to its caller. `fraction` is 0–1. */
export interface AptHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((detail: string, fraction: number) => void) | undefined;
}

/** Where apt looks for things, from its own mouth. */
async function hostFolders(hooks: AptHooks): Promise<Record<string, string>> {
  const keys = {
    sourceList: "Dir::Etc::sourcelist/f",
    sourceParts: "Dir::Etc::sourceparts/d",
    trusted: "Dir::Etc::trusted/f",
    trustedParts: "Dir::Etc::trustedparts/d",
    netrc: "Dir::Etc::netrc/f",
    netrcParts: "Dir::Etc::netrcparts/d",
  };
  const { stdout } = await runProgram("apt-config", ["shell", ...Object.entries(keys).flat()], hooks);
  const lines = [...stdout.matchAll(/^(\w+)='(.*)'$/gm)];
  return Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
}

/** The host's source files that can be read, with their style. */
async function hostSources(list: string, parts: string): Promise<{ text: string; style: SourcesStyle }[]> {
  const names = await readdir(parts).catch(() => []);
  const files = [list, ...names.sort().map((name) => path.join(parts, name))];
  const found: { text: string; style: SourcesStyle }[] = [];
  for (const file of files) {
    const style = /\.(list|sources)$/.exec(file)?.[1] as SourcesStyle | undefined;
    const text = style === undefined ? undefined : await readFile(file, "utf8").catch(() => undefined);
    if (style !== undefined && text !== undefined) found.push({ text, style });
  }
  return found;
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
  private readonly environment: Record<string, string>;

  private constructor(
    private readonly folder: string,
    readonly target: AptTarget,
  ) {
    this.environment = { APT_CONFIG: path.join(folder, "apt.conf"), LC_ALL: "C" };
  }

  /** Makes or renews the configuration in `folder`. Throws GuestError "no-apt" where there is no apt. */
  static async open(folder: string, target: AptTarget, hooks: AptHooks = {}): Promise<PrivateApt> {
    const apt = new PrivateApt(folder, target);
    await apt.configure(hooks);
    return apt;
  }

  private async configure(hooks: AptHooks): Promise<void> {
    const at = (...names: string[]): string => path.join(this.folder, ...names);
    const host = await hostFolders(hooks);
    const { stdout: dump } = await runProgram("apt-config", ["dump"], hooks);
    for (const folder of ["lists/partial", "archives/partial", "sources"]) {
      await mkdir(at(folder), { recursive: true });
    }
    await this.writeSources(host["sourceList"] ?? "", host["sourceParts"] ?? "");
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
      "Dir::Etc::trusted": host["trusted"] ?? "",
      "Dir::Etc::trustedparts": host["trustedParts"] ?? "",
      "Dir::Etc::netrc": host["netrc"] ?? "",
      "Dir::Etc::netrcparts": host["netrcParts"] ?? "",
      "Dir::Cache::srcpkgcache": "",
      "Acquire::GzipIndexes": "true",
      "Acquire::Languages": "none",
      "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled": "false",
    };
    // apt gives up root before it downloads, but then cannot reach a cache inside root's home.
    if (process.getuid?.() === 0) settings["APT::Sandbox::User"] = "root";
    const inherited = dump.split("\n").filter((line) => INHERITED.test(line));
    const own = Object.entries(settings).map(([key, value]) => `${key} ${quoted(value)};`);
    await writeFile(at("apt.conf"), [...inherited, ...own, ""].join("\n"));
  }

  /** Writes the host's sources for our release: its Debian archives if it has any, else all it has. */
  private async writeSources(list: string, parts: string): Promise<void> {
    const files = await hostSources(list, parts);
    const rewritten = (onlyDebian: boolean): { text: string; debian: boolean; style: SourcesStyle }[] =>
      files.map(({ text, style }) => ({
        ...rewriteSources(text, style, this.target.release, onlyDebian),
        style,
      }));
    const onlyDebian = rewritten(false).some((file) => file.debian);
    const chosen = rewritten(onlyDebian);
    for (const style of ["list", "sources"] as const) {
      const text = chosen.filter((file) => file.style === style && file.text !== "").map((file) => file.text);
      await writeFile(path.join(this.folder, "sources", `host.${style}`), text.join("\n"));
    }
  }

  private run(
    program: string,
    words: string[],
    hooks: AptHooks,
    cwd?: string,
  ): ReturnType<typeof runProgram> {
    let last = "";
    const onStatus = (line: string): void => {
      if (line === last) return;
      last = line;
      const match = /^dlstatus:[^:]*:([\d.]+):(.*)$/.exec(line);
      if (match) hooks.onProgress?.(match[2] ?? "", Number(match[1]) / 100);
    };
    return runProgram(program, words, { signal: hooks.signal, environment: this.environment, cwd, onStatus });
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
    const { status, stderr } = await this.run("apt-get", ["-o", "APT::Status-Fd=3", "update"], hooks);
    this.complaints = stderr.split("\n").filter((line) => /^[WE]: /.test(line));
    if (status === 0 && this.complaints.length === 0) await writeFile(stamp, "");
    return true;
  }

  /** The newest version of a package in the lists, or the one that is named. Undefined when there is none. */
  async show(name: string, version?: string, hooks: AptHooks = {}): Promise<Stanza | undefined> {
    const wanted = version === undefined ? name : `${name}=${version}`;
    const { stdout } = await this.run("apt-cache", ["show", "--no-all-versions", wanted], hooks);
    return parseStanzas(stdout).find((stanza) => stanza.get("package") === name);
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
    await writeFile(status, stanzas.map(installedStanza).join("\n"));
    const settings = ["-o", `Dir::State::status=${status}`, "-o", "APT::Install-Recommends=false"];
    const words = [...settings, "--simulate", "--yes", "install", "--", ...wanted];
    const result = await this.run("apt-get", words, hooks);
    if (result.status !== 0) {
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
    const { stdout } = await this.run("apt-cache", ["show", "--no-all-versions", ...wanted], hooks);
    return parseStanzas(stdout);
  }

  /** Downloads several versions into `folder` and returns their files' paths in the same order. */
  async downloadAll(
    versions: readonly AptVersion[],
    folder: string,
    hooks: AptHooks = {},
  ): Promise<string[]> {
    const words = ["-o", "APT::Status-Fd=3", "download"];
    const named = versions.map(({ name, version }) => `${name}=${version}`);
    const { status, stderr } = await this.run("apt-get", [...words, ...named], hooks, folder);
    if (status !== 0) {
      throw new GuestError("fetch", `apt-get download failed (status ${status}):\n${stderr.trim()}`);
    }
    return versions.map(({ name, version, architecture }) =>
      path.join(folder, `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`),
    );
  }

  /** Downloads one version of a package into `folder` and returns the file's path. */
  async download(name: string, version: string, folder: string, hooks: AptHooks = {}): Promise<string> {
    const words = ["-o", "APT::Status-Fd=3", "download", `${name}=${version}`];
    const { status, stderr } = await this.run("apt-get", words, hooks, folder);
    const file = (await readdir(folder)).find(
      (entry) => entry.startsWith(`${name}_`) && entry.endsWith(".deb"),
    );
    if (status !== 0 || file === undefined) {
      throw new GuestError(
        "fetch",
        `apt-get download ${name} ${version} failed (status ${status}):\n${stderr.trim()}`,
      );
    }
    return path.join(folder, file);
  }
}
