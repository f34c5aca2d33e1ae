/** Values as people write them on a command line: sizes, durations, counts. Every error is a usage error. */
import { UsageError } from "./args.js";

const KIB = 1024;
const SIZE_UNITS: Record<string, number> = { K: KIB, M: KIB ** 2, G: KIB ** 3, T: KIB ** 4 };
const DURATION_UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "256M", "1G", "512" (MiB, as QEMU's -m): bytes. */
export function parseSize(option: string, text: string): number {
  const match = /^(?:size=)?(\d+(?:\.\d+)?)\s*([KMGT])?(?:i?B)?$/i.exec(text);
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

/** "k=v,k2=v2" as bhyve's -o has it; a comma inside a value is written twice, as QEMU does. */
export function parsePairs(option: string, text: string): [string, string][] {
  const parts = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(",,", ","));
  return parts.map((part) => {
    const equals = part.indexOf("=");
    if (equals < 1) throw new UsageError(`${option} ${text}: expected name=value, found "${part}"`);
    return [part.slice(0, equals), part.slice(equals + 1)];
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
