/** What a guest of the catalogue is, and the words and patterns that several of them share. Data only. */
import type { AptTarget } from "../apt/apt.js";

/** One guest of the catalogue. */
export interface CatalogueEntry {
  name: string;
  /** What it is, in a line. */
  what: string;
  source: string;
  verified: string;
  licence: string;
  /** What booting it shows. */
  shows: string;
  target: AptTarget;
  /** The package to ask for. */
  package: string;
  /** Set when `package` only depends on the real one: what that one is called, or each one on the way to it. */
  dependsOn?: RegExp | readonly RegExp[];
  /** The files taken from the package, by role; patterns on paths without a leading slash. */
  files: Readonly<Record<string, RegExp>>;
}

export const SOURCE = "Debian 12 (bookworm), through this host's apt-get, mirrors and keys";
export const VERIFIED =
  "apt checks the package against the archive's signed index; the cache is checked by SHA-256 on every use";
export const KERNEL_LICENCE =
  "GPL-2.0-only WITH Linux-syscall-note (some files under other GPL-compatible licences)";
export const KERNEL_FILES = { kernel: /^boot\/vmlinuz-/, config: /^boot\/config-/ };
export const AMD64: AptTarget = { release: "bookworm", architecture: "amd64" };
export const XEN_LICENCE = "GPL-2.0-only (some files under other compatible licences)";
