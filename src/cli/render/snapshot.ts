/** How a snapshot is told. */
import { inOneLine } from "../../bytes/one-line.js";
import type { SnapshotAbout } from "../../snapshot/about.js";

const BYTES_PER_MIB = 2 ** 20;
const NS_PER_SECOND = 1e9;

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
    ["a reset", about.restarts ? "restarts it" : "ends it"],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    `${inOneLine(file)}: snapshot of a machine; locore restore goes on with it`,
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${inOneLine(value)}`),
  ];
}
