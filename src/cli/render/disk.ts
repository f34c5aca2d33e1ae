/** How a disk is told: its partitions with what they hold, and what it would boot. */
import { hex } from "../../bytes/hex.js";
import { inOneLine } from "../../bytes/one-line.js";
import { rootWords } from "../../boot/disk-root.js";
import type { BootEntry, PlacedFile } from "../../disk/boot-entries/entry.js";
import { findBootEntry, type FoundEntry } from "../../disk/boot-entries/find.js";
import { diskFacts, type Disk, type Volume } from "../../disk/disk.js";
import type { FileSystem } from "../../disk/filesystems/file-system.js";
import { partitionLabel } from "../../disk/partitions/table.js";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];
const UNIT = 1024;

/** `1.5 GiB` */
function sizeText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= UNIT && unit < UNITS.length - 1; unit++) value /= UNIT;
  return `${Number(value.toFixed(1))} ${UNITS[unit]}`;
}

function summaryOf({ size, table, volumes }: Disk): string {
  const what = table?.title ?? "no partition table";
  const [whole] = volumes;
  const holds =
    whole?.partition === undefined && whole?.fileSystem !== undefined
      ? `, ${fileSystemText(whole.fileSystem)}`
      : "";
  const count = table?.partitions.length ?? 0;
  const partitions = table === undefined ? "" : `, ${count} partition${count === 1 ? "" : "s"}`;
  return `disk of ${sizeText(size)}, ${what}${partitions}${holds}`;
}

function fileSystemText({ type, label, uuid }: FileSystem): string {
  return [type, ...(label === undefined ? [] : [`"${label}"`]), ...(uuid === undefined ? [] : [uuid])].join(
    " ",
  );
}

/** Everything known of a disk for programs. */
export function diskJson(disk: Disk): Record<string, unknown> {
  const { size, table, volumes, problems } = disk;
  const held = new Map(volumes.map(({ partition, fileSystem }) => [partition, fileSystem]));
  return {
    size,
    format: "disk",
    summary: summaryOf(disk),
    table: table && { scheme: table.scheme, title: table.title, sectorSize: table.sectorSize, id: table.id },
    partitions: (table?.partitions ?? []).map((one) => ({
      label: partitionLabel(one),
      ...one,
      fileSystem: held.get(one),
    })),
    fileSystem: held.get(undefined),
    problems,
    boot: bootJson(findBootEntry(disk)),
    root: rootWords(disk),
    facts: diskFacts(disk),
  };
}

function bootJson({ entry, notes }: FoundEntry): Record<string, unknown> {
  if (entry === undefined) return { notes };
  const { title, kernel, initrds, options, why } = entry;
  return {
    title,
    kernel: placeText(kernel),
    initrds: initrds.map(placeText),
    commandLine: options,
    why,
    notes,
  };
}

/** `2/boot/vmlinuz` */
function placeText({ volume: { partition }, file }: PlacedFile): string {
  return `${partition === undefined ? "" : partitionLabel(partition)}${file.path}`;
}

/** The same for people, without the facts. */
export function diskLines(file: string, disk: Disk): string[] {
  const { table, volumes, problems } = disk;
  const found = findBootEntry(disk);
  const lines = [`${inOneLine(file)}: ${summaryOf(disk)}`, ""];
  if (table !== undefined) lines.push(...partitionRows(disk, volumes), "");
  lines.push(
    ...problems.map(
      ({ offset, found: what, expected, meaning }) =>
        `  problem at ${hex(offset)}: found ${what}; expected ${expected}. ${meaning}`,
    ),
  );
  lines.push(...bootLines(found));
  for (const [system, words] of Object.entries(rootWords(disk)))
    lines.push(`  root of ${system}: ${words.text} (${words.why})`);
  return lines;
}

function partitionRows({ table }: Disk, volumes: readonly Volume[]): string[] {
  const held = new Map(volumes.map(({ partition, fileSystem }) => [partition, fileSystem]));
  const rows = (table?.partitions ?? []).map((one) => {
    const fileSystem = held.get(one);
    const holds =
      one.container === true ? "(holds others)" : fileSystem === undefined ? "" : fileSystemText(fileSystem);
    const type = one.typeName ?? one.type;
    return [
      partitionLabel(one),
      hex(one.start),
      sizeText(one.size),
      type,
      one.name ?? "",
      one.flags.join(","),
      holds,
    ];
  });
  const all = [["nr", "start", "size", "type", "name", "flags", "holds"], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const used = widths.map(
    (width, column) => width > all[0][column].length || rows.some((row) => row[column] !== ""),
  );
  return all.map((row) =>
    `  ${row
      .map((cell, column) => (used[column] ? `${cell.padEnd(widths[column])}  ` : ""))
      .join("")}`.trimEnd(),
  );
}

function bootLines({ entry, notes }: FoundEntry): string[] {
  const told = notes.map((note) => `  note: ${note}`);
  if (entry === undefined) return ["  boots nothing by itself: no kernel was found", ...told];
  return [...entryLines(entry), ...told];
}

function entryLines({ title, kernel, initrds, options, why }: BootEntry): string[] {
  const initrd = initrds.length === 0 ? "without an initrd" : `with ${initrds.map(placeText).join(" and ")}`;
  return [
    `  boots ${placeText(kernel)} ${initrd}`,
    `    "${title}" by ${why}`,
    ...(options === undefined ? [] : [`    ${options}`]),
  ];
}
