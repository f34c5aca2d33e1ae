/**
 * Takes files out of a Debian package. Nothing is written, no maintainer script is run, links are not
 * followed. Knows no particular package.
 *
 * Format: deb(5): an ar archive of `debian-binary`, `control.tar.*`, `data.tar.*`.
 */
import { CodecError } from "../../codecs/codec-error.js";
import { decompress } from "../../codecs/decompress.js";
import type { CodecName } from "../../spec/compression.js";
import { readAr } from "./ar.js";
import { GuestError } from "../errors.js";
import { readTar } from "./tar.js";
import type { TarEntry } from "./tar.js";

const MEMBER = /^(data|control)\.tar(?:\.(\w+))?$/;
/** Member name endings of deb(5), and the codecs that read them. */
const CODECS: Readonly<Record<string, CodecName>> = { gz: "gzip", xz: "xz", zst: "zstd", lzma: "lzma" };
/** Kernel packages hold /boot first: unpacking this much usually does, and saves seconds and the memory. */
const FIRST_UNPACKED = 32 * 1024 * 1024;
/** Larger than any kernel package's contents; a package that claims more is refused. */
const MAX_UNPACKED = 1024 * 1024 * 1024;

/** A file taken out of a package: its path there, without the leading `./`, and its contents. */
export interface PackageFile {
  path: string;
  bytes: Uint8Array;
}

/** One of the archives in a package. */
interface Member {
  bytes: Uint8Array;
  name: "data" | "control";
  /** How it is compressed. */
  ending: string | undefined;
}

/** The member unpacked, or as much of its beginning as `limit` allows; `whole` says which. */
function unpack({ bytes, name, ending }: Member, limit: number): { bytes: Uint8Array; whole: boolean } {
  if (ending === undefined) return { bytes, whole: true };
  const codec = CODECS[ending];
  if (codec === undefined)
    throw new GuestError("damaged", `the package's ${name}.tar.${ending} cannot be read here`);
  let beginning: Uint8Array | undefined;
  const onLimit = (unpacked: Uint8Array): void => {
    beginning = unpacked;
  };
  try {
    return { bytes: decompress(codec, bytes, { maxOutput: limit, onLimit }).bytes, whole: true };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    if (error.kind === "too-large" && beginning) return { bytes: beginning, whole: false };
    throw new GuestError("damaged", `the package's ${name}.tar.${ending}: ${error.message}`, {
      cause: error,
    });
  }
}

type Found<Role extends string> = Partial<Record<Role, PackageFile>>;

/** The wanted files of a tar archive, until all are found or the archive ends. */
function filesFromTar<Role extends string>(
  bytes: Uint8Array,
  wanted: Readonly<Record<Role, RegExp>>,
): Found<Role> {
  const roles = Object.keys(wanted) as Role[];
  const found: Found<Role> = {};
  for (const entry of readTar(bytes)) {
    if (entry.kind !== "file") continue;
    const inside = entry.path.replace(/^\.?\/+/, "");
    for (const role of roles) {
      if (wanted[role].test(inside)) found[role] ??= { path: inside, bytes: entry.bytes.slice() };
    }
    if (roles.every((role) => found[role])) break;
  }
  return found;
}

/** `filesFromTar` on an archive's beginning: one that ends inside a file is no fault of the package. */
function filesFromBeginning<Role extends string>(
  bytes: Uint8Array,
  wanted: Readonly<Record<Role, RegExp>>,
): Found<Role> {
  try {
    return filesFromTar(bytes, wanted);
  } catch (error) {
    if (error instanceof GuestError) return {};
    throw error;
  }
}

function memberOf(bytes: Uint8Array, name: Member["name"]): Member {
  for (const member of readAr(bytes)) {
    const [, found, ending] = MEMBER.exec(member.name) ?? [];
    if (found === name) return { bytes: member.bytes, name, ending };
  }
  throw new GuestError("damaged", `the package holds no ${name}.tar`);
}

/** Everything a package installs, in its order, as views into the unpacked archive. Throws GuestError "damaged". */
export function entriesOfDeb(bytes: Uint8Array): Generator<TarEntry> {
  return allEntries(memberOf(bytes, "data"));
}

/** What a package tells dpkg: `control`, maintainer scripts, lists. Throws GuestError "damaged". */
export function controlOfDeb(bytes: Uint8Array): Generator<TarEntry> {
  return allEntries(memberOf(bytes, "control"));
}

function* allEntries(member: Member): Generator<TarEntry> {
  const { bytes: tar, whole } = unpack(member, MAX_UNPACKED);
  if (!whole) throw new GuestError("damaged", `the package unpacks to more than ${MAX_UNPACKED} bytes`);
  yield* readTar(tar);
}

/**
 * The first file whose path matches, for each pattern by its name. Throws GuestError when the package is damaged or
 * a pattern matches nothing. `firstTry` is how many bytes are unpacked before all are.
 */
export function filesFromDeb<Role extends string>(
  bytes: Uint8Array,
  wanted: Readonly<Record<Role, RegExp>>,
  firstTry = FIRST_UNPACKED,
): Record<Role, PackageFile> {
  const member = memberOf(bytes, "data");
  const roles = Object.keys(wanted) as Role[];
  const complete = (files: Found<Role>): files is Record<Role, PackageFile> =>
    roles.every((role) => files[role]);
  const first = unpack(member, firstTry);
  if (!first.whole) {
    const early = filesFromBeginning(first.bytes, wanted);
    if (complete(early)) return early;
  }
  const all = first.whole ? first : unpack(member, MAX_UNPACKED);
  if (!all.whole) throw new GuestError("damaged", `the package unpacks to more than ${MAX_UNPACKED} bytes`);
  const found = filesFromTar(all.bytes, wanted);
  if (complete(found)) return found;
  const missing = roles.filter((role) => !found[role]).map((role) => `${role} (${wanted[role].source})`);
  throw new GuestError("damaged", `the package holds no file for ${missing.join(", ")}`);
}
