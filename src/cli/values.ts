/** Values as people write them on a command line: sizes, durations, counts. Every error is a usage error. */
import { UsageError } from "./args.js";

const KIB = 1024;
const SIZE_UNITS: Record<string, number> = { K: KIB, M: KIB ** 2, G: KIB ** 3, T: KIB ** 4 };
const DURATION_UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "256M", "1G", "512" (MiB, as QEMU's -m): bytes. */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT])?(?:i?B)?$/i.exec(text);
  const bytes = match && Number(match[1]) * SIZE_UNITS[(match[2] ?? "M").toUpperCase()];
  if (!bytes || !Number.isSafeInteger(bytes)) {
    throw new UsageError(`${option} ${text}: expected a size such as 256M or 1G`);
  }
  return bytes;
}

/** The longest a JavaScript timer can wait; longer ones fire at once. */
const LONGEST_DURATION_MS = 2 ** 31 - 1;

/** "30", "30s", "500ms", "5m": milliseconds, up to 24 days. */
export function parseDuration(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new UsageError(`${option} ${text}: expected a duration such as 30s, 500ms or 5m`);
  const milliseconds = Number(match[1]) * DURATION_UNITS_MS[match[2] ?? "s"];
  if (milliseconds > LONGEST_DURATION_MS)
    throw new UsageError(`${option} ${text}: at most 24 days, which is 576h`);
  return milliseconds;
}

/** A whole number from `least` up to `most`. */
export function parseCount(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    throw new UsageError(`${option} ${text}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

/** A guest-physical address: "0x40080000", or decimal. */
export function parseAddress(option: string, text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new UsageError(`${option} ${text}: expected an address such as 0x40080000`);
}

/** A comma that ends a pair: not the second half of a doubled one, and what follows begins another pair. */
function pairEnd(prefix: string): RegExp {
  return new RegExp(`(?<=(?:^|[^,])(?:,,)*),(?=${prefix.replaceAll(".", "\\.")})`);
}

/**
 * "loader.a=v,loader.b=w" as bhyve's -o has it: names and values. Every name begins with `prefix`, so a comma ends a value
 * only where the prefix follows it at once; any other comma belongs to the value, as in "loader.append=console=ttyS0,115200".
 * Two commas are always one that belongs to the value: "loader.append=x,,loader.y" is one pair.
 */
export function parsePairs(option: string, text: string, prefix: string): [string, string][] {
  const parts = text.split(pairEnd(prefix)).map((part) => part.replaceAll(",,", ","));
  return parts.map((part) => {
    const equals = part.indexOf("=");
    if (equals < 1) throw new UsageError(`${option} ${text}: expected name=value, found "${part}"`);
    return [part.slice(0, equals), part.slice(equals + 1)];
  });
}

/**
 * "value,key=value,flag" as QEMU has its options: keys and values. What comes first may leave out its key, which is then
 * `implied`; a key without a value is on. Two commas are one that belongs to a value.
 */
export function parseSuboptions(text: string, implied: string): [string, string][] {
  const parts = text.split(/(?<=(?:^|[^,])(?:,,)*),(?!,)/).map((part) => part.replaceAll(",,", ","));
  return parts.map((part, i) => {
    const equals = part.indexOf("=");
    if (equals >= 0) return [part.slice(0, equals), part.slice(equals + 1)];
    return i === 0 ? [implied, part] : [part, "on"];
  });
}

/** A file name, a space of which has a backslash before it; then blanks, then the rest. */
const MODULE = /^((?:\\ |[^ ])+)(?: +(.*))?$/s;

/** "FILE ARGS…", as kexec and GRUB have it: the file, and the command line of the module without the file's name. */
export function parseModule(text: string): { path: string; commandLine: string } {
  const match = MODULE.exec(text);
  if (match === null) throw new UsageError(`--module "${text}": expected a file name first`);
  return { path: match[1].replaceAll("\\ ", " "), commandLine: match[2] ?? "" };
}
