/**
 * Rewrites a host's apt sources so that they name another Debian release or architecture: mirrors, keys and
 * components stay the host's own. Text in, text out; reads no file and runs no program.
 *
 * Formats: sources.list(5), one-line style and deb822 style.
 */

/** Names under which a Debian archive lists a release: the moving ones, then code names since 2019. */
const DEBIAN_RELEASES = new Set([
  ...["stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"],
  ...["buster", "bullseye", "bookworm", "trixie", "forky", "duke"],
]);
/** The release that everything new goes to: it has neither an updates nor a security suite. */
const WITHOUT_UPDATES = new Set(["sid", "unstable"]);
/** buster and before called `X-security` this. */
const OLD_SECURITY_SUFFIX = "/updates";
const SECURITY_SUFFIX = "-security";
/** Fields and options that tie a source to the host's architecture. */
const ARCHITECTURE_FIELD = /^architectures/i;
const ARCHITECTURE_OPTION = /^arch(itectures)?[+-]?=/i;

/** A source file's style, which is also its file name's ending. */
export type SourcesStyle = "list" | "sources";

interface Rewritten {
  text: string;
  /** Whether any of its suites is a Debian release. */
  debian: boolean;
}

function isDebian(suite: string): boolean {
  return DEBIAN_RELEASES.has(suite.split(/[-/]/, 1)[0] ?? "");
}

/**
 * `trixie-updates` becomes `bookworm-updates`; what is no Debian release stays; undefined for a suite that the
 * release does not have.
 */
function substitute(suite: string, release: string): string | undefined {
  if (!isDebian(suite)) return suite;
  const suffix = suite.replace(/^[^-/]*/, "");
  if (suffix !== "" && WITHOUT_UPDATES.has(release)) return undefined;
  return release + (suffix === OLD_SECURITY_SUFFIX ? SECURITY_SUFFIX : suffix);
}

/** `deb [option=value …] URI SUITE COMPONENT…`; undefined for comments, blank lines and source packages. */
function rewriteLine(line: string, release: string): Rewritten | undefined {
  const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line);
  if (!match) return undefined;
  const [, options = "", uri = "", suite = "", components = ""] = match;
  const renamed = substitute(suite, release);
  if (renamed === undefined) return undefined;
  const kept = options.split(/\s+/).filter((option) => option !== "" && !ARCHITECTURE_OPTION.test(option));
  const bracket = kept.length > 0 ? `[${kept.join(" ")}] ` : "";
  return {
    text: `deb ${bracket}${uri} ${renamed} ${components.trim()}`.trimEnd() + "\n",
    debian: isDebian(suite),
  };
}

/** The fields of one deb822 stanza, continuation lines kept with the field they continue. */
function stanzaFields(stanza: string): string[] {
  const fields: string[] = [];
  for (const line of stanza.split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    if (/^\s/.test(line) && fields.length > 0) fields[fields.length - 1] += `\n${line}`;
    else fields.push(line);
  }
  return fields;
}

function fieldValue(fields: string[], name: string): string {
  const prefix = `${name.toLowerCase()}:`;
  const field = fields.find((line) => line.toLowerCase().startsWith(prefix));
  return field === undefined ? "" : field.slice(prefix.length).trim();
}

function rewriteStanza(stanza: string, release: string): Rewritten | undefined {
  const fields = stanzaFields(stanza);
  const types = fieldValue(fields, "Types").split(/\s+/);
  if (!types.includes("deb") || /^(no|false|0|off|without|disable)$/i.test(fieldValue(fields, "Enabled"))) {
    return undefined;
  }
  const suites = fieldValue(fields, "Suites").split(/\s+/);
  const kept = fields.filter(
    (field) => !/^(types|suites)\s*:/i.test(field) && !ARCHITECTURE_FIELD.test(field),
  );
  const renamed = suites.map((suite) => substitute(suite, release)).filter((suite) => suite !== undefined);
  if (renamed.length === 0) return undefined;
  return {
    text: ["Types: deb", `Suites: ${renamed.join(" ")}`, ...kept, ""].join("\n"),
    debian: suites.some(isDebian),
  };
}

/**
 * The binary sources of one file with every Debian suite replaced by `release`'s, in the same style; `debian` says
 * whether there was one. Sources of other distributions are kept as they are only by `text`, so that the caller can
 * decide: `onlyDebian` drops them.
 */
export function rewriteSources(
  text: string,
  style: SourcesStyle,
  release: string,
  onlyDebian: boolean,
): Rewritten {
  const parts =
    style === "list"
      ? text.split("\n").map((line) => rewriteLine(line, release))
      : text.split(/\n(?:[ \t]*\n)+/).map((stanza) => rewriteStanza(stanza, release));
  const found = parts.filter((part) => part !== undefined);
  const kept = onlyDebian ? found.filter((part) => part.debian) : found;
  return {
    text: kept.map((part) => part.text).join(style === "sources" ? "\n" : ""),
    debian: found.some((part) => part.debian),
  };
}
