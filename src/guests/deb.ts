/**
 * Takes single files out of a Debian package. Nothing is written, no maintainer script is run, links are not
 * followed. Knows no particular package.
 *
 * Format: deb(5): an ar archive of `debian-binary`, `control.tar.*`, `data.tar.*`.
 */
import { spawnSync } from "node:child_process";
import { readAr } from "./ar.js";
import { GuestError } from "./errors.js";
import { readTar } from "./tar.js";

const DATA_MEMBER = /^data\.tar(?:\.(\w+))?$/;
/** Larger than any kernel package's contents; a package that claims more is refused. */
const MAX_UNPACKED = 1024 * 1024 * 1024;

/** A file taken out of a package: its path there, without the leading `./`, and its contents. */
export interface PackageFile {
  path: string;
  bytes: Uint8Array;
}

function unpack(bytes: Uint8Array, ending: string | undefined): Uint8Array {
  if (ending === undefined) return bytes;
  const result = spawnSync(ending, ["-dc"], { input: bytes, maxBuffer: MAX_UNPACKED });
  if (result.status !== 0) throw new GuestError("damaged", `data.tar.${ending}: ${result.stderr.toString()}`);
  return result.stdout;
}

/**
 * The first file whose path matches, for each pattern by its name. Throws GuestError when the package is damaged or
 * a pattern matches nothing.
 */
export function filesFromDeb<Role extends string>(
  bytes: Uint8Array,
  wanted: Readonly<Record<Role, RegExp>>,
): Record<Role, PackageFile> {
  const member = [...readAr(bytes)].find(({ name }) => DATA_MEMBER.test(name));
  if (!member) throw new GuestError("damaged", "the package holds no data.tar");
  const roles = Object.keys(wanted) as Role[];
  const found: Partial<Record<Role, PackageFile>> = {};
  for (const entry of readTar(unpack(member.bytes, DATA_MEMBER.exec(member.name)?.[1]))) {
    const inside = entry.path.replace(/^\.?\/+/, "");
    if (entry.kind !== "file") continue;
    for (const role of roles) {
      if (wanted[role].test(inside)) found[role] ??= { path: inside, bytes: entry.bytes.slice() };
    }
    if (roles.every((role) => found[role])) return found as Record<Role, PackageFile>;
  }
  const missing = roles.filter((role) => !found[role]).map((role) => `${role} (${wanted[role].source})`);
  throw new GuestError("damaged", `the package holds no file for ${missing.join(", ")}`);
}
