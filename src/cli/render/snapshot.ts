/** How a snapshot is told. */
import { inOneLine } from "../../bytes/one-line.js";
import type { AboutDisk, SnapshotAbout } from "../../snapshot/about.js";

const BYTES_PER_KIB = 2 ** 10;
const BYTES_PER_MIB = 2 ** 20;
const NS_PER_SECOND = 1e9;

const ACCESS = { memory: "kept as it is", write: "written", read: "only read" } as const;

/** A disk that has to be given again. */
function diskText({ file, size, access, inMemory }: AboutDisk): string {
  const inside = access === "memory" ? `, ${inMemory / BYTES_PER_KIB} KiB written in memory` : "";
  return `${file}, ${size / BYTES_PER_KIB} KiB, ${ACCESS[access]}${inside}; give it again: --disk`;
}

/** What machine, when, which kernel. */
export function aboutLines(file: string, about: SnapshotAbout): string[] {
  const rows: [string, string][] = [
    ["saved", `${new Date(about.savedAt).toISOString()}, by locore ${about.locore}`],
    ["kernel", `${about.kernel}: ${about.summary}`],
    ["booted by", about.loader],
    ["command line", about.commandLine],
    [
      "machine",
      `${about.cpus} CPU${about.cpus === 1 ? "" : "s"}, ${about.memory / BYTES_PER_MIB} MiB of RAM`,
    ],
    ["time", about.deterministic ? "deterministic" : "real"],
    ["clock", `${(about.clockNs / NS_PER_SECOND).toFixed(3)} s since power-on`],
    ["instructions", about.instructions.toLocaleString("en-US")],
    ...about.disks.map((disk): [string, string] => [disk.name, diskText(disk)]),
    ["a reset", about.restarts ? "restarts it" : "ends it"],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    `${inOneLine(file)}: snapshot of a machine; locore restore goes on with it`,
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${inOneLine(value)}`),
  ];
}
