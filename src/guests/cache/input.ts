/** A file that something is made of, told from others and from itself after a change. Reads no contents. */
import { statSync, type BigIntStats } from "node:fs";
import { resolve } from "node:path";

/** A place, and what was there. */
export interface Input {
  /** Absolute. */
  path: string;
  /** Of a folder either that it is one, or what lies in it. */
  kind: "none" | "folder" | "entries" | "file";
  /** Of a file and of entries: device, number, bytes, and when contents and facts were last changed, ns since 1970. */
  facts?: string;
  /** When it was looked at, ms since 1970. */
  lookedMs?: number;
}

/** Nothing where it could not be looked at. */
function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** What is at a place now. It has to be looked at before it is read: who reads it later and finds something else has seen neither. */
export function inputAt(place: string, folders: "folder" | "entries" = "folder"): Input {
  const path = resolve(place);
  const lookedMs = Date.now();
  const found = statsOf(path);
  if (found === undefined) return { path, kind: "none", lookedMs };
  const isFolder = found.isDirectory();
  if (isFolder && folders === "folder") return { path, kind: "folder", lookedMs };
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  const facts = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  return { path, kind: isFolder ? "entries" : "file", facts, lookedMs };
}

/** A file may be changed again so soon after a change, ms, without that its times show it; some file systems count in seconds. */
export const SETTLING_MS = 20;

/** Whether there still is what there was. */
export function isUnchanged({ path, kind, facts }: Input): boolean {
  const now = inputAt(path, kind === "entries" ? kind : "folder");
  return now.kind === kind && now.facts === facts;
}

/** When contents or facts were last changed, ns since 1970; undefined where nothing is known of it. */
export function changedNs({ facts }: Input): bigint | undefined {
  return facts === undefined ? undefined : BigInt(facts.slice(facts.lastIndexOf(" ") + 1));
}
