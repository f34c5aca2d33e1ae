/**
 * What the host's apt is set up with: where its files are, the settings by which it reaches its mirrors, and its
 * sources. Reads only; writes nothing and knows no release.
 */
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { runProgram } from "./program.js";
import { rewriteSources } from "./sources.js";
import type { SourcesStyle } from "./sources.js";

/** Settings of the host that decide how it reaches its mirrors; index targets and languages are ours. */
const INHERITED =
  /^(Dir|Dir::Bin(::\S*)?|Acquire::(?!IndexTargets|CompressionTypes|Changelogs|Languages)\S+) /;
const FOLDERS = {
  sourceList: "Dir::Etc::sourcelist/f",
  sourceParts: "Dir::Etc::sourceparts/d",
  trusted: "Dir::Etc::trusted/f",
  trustedParts: "Dir::Etc::trustedparts/d",
  netrc: "Dir::Etc::netrc/f",
  netrcParts: "Dir::Etc::netrcparts/d",
};
const ARCHIVE_HOST = /\b[a-z+]+:\/\/(?:[^@/\s]*@)?([^/\s\]]+)/g;

/** A host's apt, as far as it matters to another instance of it. */
export interface AptHost {
  /** Where it looks for things, from its own mouth. */
  folders: Readonly<Record<keyof typeof FOLDERS, string>>;
  /** Lines of apt.conf(5) to take over. */
  settings: readonly string[];
}

/** Asks the host's apt. Throws GuestError "no-apt" where there is none. */
export async function readHost(signal: AbortSignal | undefined): Promise<AptHost> {
  const { stdout } = await runProgram("apt-config", ["shell", ...Object.entries(FOLDERS).flat()], { signal });
  const found = Object.fromEntries(
    [...stdout.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const names = Object.keys(FOLDERS) as (keyof typeof FOLDERS)[];
  const folders = Object.fromEntries(names.map((name) => [name, found[name] ?? ""])) as AptHost["folders"];
  const { stdout: dump } = await runProgram("apt-config", ["dump"], { signal });
  return { folders, settings: dump.split("\n").filter((line) => INHERITED.test(line)) };
}

/** The host's source files that can be read, with their style. */
async function sourceFiles(list: string, parts: string): Promise<{ text: string; style: SourcesStyle }[]> {
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

/** A host's sources for one release. */
export interface HostSources {
  /** One file a style. */
  files: Readonly<Record<SourcesStyle, string>>;
  /** The hosts they name, each once. */
  archives: readonly string[];
  /** Whether any of them is a Debian archive. */
  debian: boolean;
}

/** The host's sources for `release`: its Debian archives if it has any, else all it has. */
export async function readSources({ folders }: AptHost, release: string): Promise<HostSources> {
  const files = await sourceFiles(folders.sourceList, folders.sourceParts);
  const rewritten = (onlyDebian: boolean): { text: string; debian: boolean; style: SourcesStyle }[] =>
    files.map(({ text, style }) => ({ ...rewriteSources(text, style, release, onlyDebian), style }));
  const debian = rewritten(false).some((file) => file.debian);
  const chosen = rewritten(debian).filter((file) => file.text !== "");
  const ofStyle = (style: SourcesStyle): string =>
    chosen
      .filter((file) => file.style === style)
      .map((file) => file.text)
      .join("\n");
  const all = chosen.flatMap(({ text }) => [...text.matchAll(ARCHIVE_HOST)].map(([, host]) => host));
  const written = { list: ofStyle("list"), sources: ofStyle("sources") };
  return { files: written, archives: [...new Set(all)], debian };
}
