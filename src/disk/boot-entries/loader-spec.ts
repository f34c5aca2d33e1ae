/**
 * Entries of type 1 of the Boot Loader Specification (UAPI group): a file each in /loader/entries of the ESP, of XBOOTLDR or of the
 * partition of /boot; sorted as the specification says. systemd-boot and Fedora's GRUB use them.
 */
import { volumeName } from "../disk.js";
import { namesIn, readText, wholeEntry, type BootEntry, type ReadableVolume, type Search } from "./entry.js";
import { readEnvironment } from "./grub-environment.js";
import { fitsGlob } from "./glob.js";
import { compareVersions } from "./version-order.js";

interface SpecEntry {
  /** File name without .conf and without the count of tries. */
  id: string;
  file: string;
  /** All of its tries failed. */
  failed: boolean;
  values: ReadonlyMap<string, readonly string[]>;
}

const FOLDERS = ["/loader", "/boot/loader"];
/** Entries that are read in one folder. */
const MOST_ENTRIES = 256;
/** Lines of one key. */
const MOST_LINES = 64;
/** Where GRUB remembers which entry it is to boot. */
const ENVIRONMENTS = ["/grub2/grubenv", "/boot/grub2/grubenv", "/grub/grubenv", "/boot/grub/grubenv"];
const ARCHITECTURES = ["x64", "ia32"];

/** The entry that would be booted; undefined where there is none that can be. */
export function findLoaderSpec(search: Search): BootEntry | undefined {
  for (const volume of search.volumes) {
    for (const folder of FOLDERS) {
      const entries = readEntries(search, volume, folder);
      if (entries.length === 0) continue;
      const found = choose(search, volume, folder, entries);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function readEntries(search: Search, volume: ReadableVolume, folder: string): SpecEntry[] {
  const names = namesIn(search, volume, `${folder}/entries`).filter((name) => /\.conf$/i.test(name));
  if (names.length > MOST_ENTRIES)
    search.note(`${folder}/entries has ${names.length} entries: the first ${MOST_ENTRIES} are read`);
  const entries: SpecEntry[] = [];
  for (const name of names.slice(0, MOST_ENTRIES)) {
    const file = `${folder}/entries/${name}`;
    const text = readText(search, volume, file);
    if (text === undefined) continue;
    // `name+left-done.conf` counts tries.
    const tries = /^(.*)\+(\d+)(-\d+)?\.conf$/i.exec(name);
    const values = readValues(text);
    const own = { id: tries?.[1] ?? name.slice(0, -".conf".length), file, values };
    const architecture = values.get("architecture")?.[0]?.toLowerCase();
    if (architecture !== undefined && !ARCHITECTURES.includes(architecture))
      search.note(`${file} is for ${architecture}: left out`);
    else if (!values.has("linux"))
      search.note(`${file} names no linux: an EFI program cannot be booted directly`);
    else entries.push({ ...own, failed: tries !== null && Number(tries[2]) === 0 });
  }
  return entries.sort(specOrder);
}

function readValues(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^\s*([^\s#]\S*)\s+(.*)$/.exec(line) ?? [];
    if (key === undefined) continue;
    const name = key.toLowerCase();
    const known = values.get(name);
    if (known === undefined) values.set(name, [value.trim()]);
    else if (known.length < MOST_LINES) known.push(value.trim());
  }
  return values;
}

function compareText(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order in which a menu shows them: the first is the one that is booted. */
function specOrder(a: SpecEntry, b: SpecEntry): number {
  if (a.failed !== b.failed) return a.failed ? 1 : -1;
  const value = ({ values }: SpecEntry, key: string): string | undefined => values.get(key)?.[0];
  const [x, y] = [value(a, "sort-key"), value(b, "sort-key")];
  if ((x === undefined) !== (y === undefined)) return x === undefined ? 1 : -1;
  if (x !== undefined) {
    const same =
      compareText(x, y) ||
      compareText(value(a, "machine-id"), value(b, "machine-id")) ||
      compareVersions(value(b, "version") ?? "", value(a, "version") ?? "");
    if (same !== 0) return same;
  }
  return compareVersions(b.id, a.id);
}

function choose(
  search: Search,
  volume: ReadableVolume,
  folder: string,
  entries: readonly SpecEntry[],
): BootEntry | undefined {
  const wanted = preference(search, volume, folder);
  const preferred = wanted && entries.find(({ id }) => fitsGlob(id, wanted.pattern));
  if (wanted !== undefined && preferred === undefined)
    search.note(`${wanted.by} wants ${wanted.pattern}, which no entry is`);
  const environment = grubEnvironment(search, volume);
  for (const entry of new Set([...(preferred === undefined ? [] : [preferred]), ...entries])) {
    const by =
      entry === preferred ? `the default of ${wanted?.by ?? ""}` : "the first by the specification's order";
    const found = resolved(search, volume, entry, { by, environment });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Which entry a person or an installation chose. */
function preference(
  search: Search,
  volume: ReadableVolume,
  folder: string,
): { pattern: string; by: string } | undefined {
  const config = `${folder}/loader.conf`;
  const wanted = readValues(readText(search, volume, config) ?? "")
    .get("default")
    ?.at(-1);
  if (wanted !== undefined && !wanted.startsWith("@"))
    return { pattern: wanted.replace(/\.conf$/, ""), by: config };
  const saved = grubEnvironment(search, volume).get("saved_entry");
  return saved === undefined || saved === "" ? undefined : { pattern: saved, by: "grubenv" };
}

function grubEnvironment(search: Search, volume: ReadableVolume): ReadonlyMap<string, string> {
  for (const path of ENVIRONMENTS) {
    const text = readText(search, volume, path);
    if (text !== undefined) return readEnvironment(text);
  }
  return new Map();
}

function resolved(
  search: Search,
  volume: ReadableVolume,
  { id, file, values }: SpecEntry,
  { by, environment }: { by: string; environment: ReadonlyMap<string, string> },
): BootEntry | undefined {
  const all = (key: string): readonly string[] => values.get(key) ?? [];
  const initrds = all("initrd").flatMap((line) => line.split(/\s+/));
  // Fedora's GRUB puts variables of grubenv in.
  const filled = (text: string): string =>
    text.replace(/\$(\w+|\{\w+\})/g, (_, name: string) => environment.get(name.replace(/[{}]/g, "")) ?? "");
  return wholeEntry(search, volume, {
    title: all("title")[0] ?? id,
    kernel: all("linux")[0],
    initrds: initrds.map(filled).filter((path) => path !== ""),
    options: filled(all("options").join(" ")).trim(),
    why: `${file} of ${volumeName(volume.volume)}, ${by}`,
  });
}
