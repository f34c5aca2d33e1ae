/**
 * What apt says when something goes wrong, taken apart: whether the network or the disk is at fault, and which host.
 * Text only; runs no program. The wordings are those of apt's methods (methods/connect.cc, http.cc) under LC_ALL=C.
 */
import { systemErrorName } from "../cache/system-errors.js";

/** Why an archive cannot be reached. */
export interface NetworkTrouble {
  /** The host, with its port where it is not the usual one. */
  host: string;
  /** In plain words: "connection refused". */
  why: string;
  /** The archive's host, where `host` is another one on the way to it, as a proxy is. */
  towards?: string;
}

const COMPLAINT = /^[WE]: /;
const FETCHED_URL = /\b[a-z+]+:\/\/(?:[^@/\s]*@)?([^/\s]+)\S*/;
/** `connect (111: Connection refused)`: a system error, by its number. */
const SYSTEM_ERROR = /\((\d+): ([^)]*)\)/;
/** System errors that mean that the disk takes nothing more. */
const DISK_CODES = new Set(["ENOSPC", "EDQUOT", "EROFS", "EFBIG"]);
const UNRESOLVED = /(?:resolve|resolving) '([^']+)'/;
const UNCONNECTED =
  /(?:Could not connect to|Cannot initiate the connection to|Unable to connect to|Failed to connect to) ([^\s(,]+)/g;
/** Failures of a connection that stood; the host is the URL's. */
const BROKEN = [
  /Connection timed out|Data socket timed out|Connection failed|Connection reset/,
  /Error reading from server|Error writing to server|Server closed the connection|Undetermined Error/,
  /Could not (?:handshake|wait for server)|SSL|TLS|[Cc]ertificate/,
];
/** Answers that are about the way to an archive, or its state, and not about one file. */
const UNWILLING = /\s((?:403|407|429|5\d\d)\s+[A-Z][\w ]*?)\s*(?:\[|$)/;
/** Ports that need not be told. */
const USUAL_PORT = /(?::(?:80|443|https?))?:?$/;

/** The warnings and errors among apt's lines. */
export function complaintsIn(text: string): string[] {
  return text.split("\n").filter((line) => COMPLAINT.test(line));
}

/** The name of the system error ("ENOSPC") by which a disk refused to be written, if any line tells of one. */
export function diskErrorIn(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    for (const [, number] of line.matchAll(new RegExp(SYSTEM_ERROR, "g"))) {
      const name = systemErrorName(Number(number));
      if (name !== undefined && DISK_CODES.has(name)) return name;
    }
  }
  return undefined;
}

/** The host that could not be connected to; of several addresses the last counts, which is the IPv4 one. */
function unconnected(line: string): Pick<NetworkTrouble, "host" | "why"> | undefined {
  const found = [...line.matchAll(UNCONNECTED)].at(-1);
  if (found === undefined) return undefined;
  const rest = line.slice(found.index);
  const why =
    SYSTEM_ERROR.exec(rest)?.[2]?.toLowerCase() ?? (/timed out/.test(rest) ? "no answer" : "no way to it");
  return { host: found[1].replace(USUAL_PORT, ""), why };
}

function troubleIn(line: string): NetworkTrouble | undefined {
  const archive = FETCHED_URL.exec(line)?.[1].replace(USUAL_PORT, "");
  const [, unresolved] = UNRESOLVED.exec(line) ?? [];
  const found =
    unresolved === undefined
      ? unconnected(line)
      : { host: unresolved.replace(USUAL_PORT, ""), why: "its name cannot be resolved" };
  if (found) return archive === undefined || archive === found.host ? found : { ...found, towards: archive };
  if (archive === undefined) return undefined;
  const answer = UNWILLING.exec(line)?.[1];
  if (answer !== undefined) return { host: archive, why: `it answers ${answer.replace(/\s+/g, " ")}` };
  const broken = BROKEN.some((pattern) => pattern.test(line));
  const said = line.replace(/^.*?:\/\/\S+\s*/, "").replace(/\s*\[IP: .*$/, "");
  return broken ? { host: archive, why: said } : undefined;
}

/** Why an archive cannot be reached, when any of apt's lines says so: the first that does. */
export function networkTroubleIn(lines: readonly string[]): NetworkTrouble | undefined {
  for (const line of lines) {
    const found = troubleIn(line);
    if (found) return found;
  }
  return undefined;
}
