/** How the end of a machine is told: a line, a JSON line, a table of numbers. */
import { sinceProcessStart } from "../../host/node/host-time.js";
import type { StartSteps } from "../../host/node/messages.js";
import type { RunReport } from "../../host/run.js";
import { screenText, type Screen } from "../../machine/screen.js";
import { inOneLine } from "../../bytes/one-line.js";
import { toJson } from "../json.js";

const MS_PER_SECOND = 1000;
const NS_PER_SECOND = 1e9;
const INSTRUCTIONS_PER_M = 1e6;

/** 1,234,567. Not by `toLocaleString`: a process takes 10 ms for its first. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?:$|\.))(?<!\..*)/g, ",");
}

/** One line: what happened, by which route, after how many instructions. The same on every deterministic run. */
export function endLine({ end, stats }: RunReport): string {
  const reason = end.reason === undefined ? "" : `: ${end.reason}`;
  const machine = end.machine === undefined || end.machine === end.kind ? "" : `, ${end.machine}`;
  return `locore: ${end.kind}${machine} by ${end.route}${reason} (status ${end.status}, ${grouped(stats.instructions)} instructions)`;
}

/** Measured numbers; `hostMs` varies from run to run. */
function figures({ executed, hostMs }: RunReport): Record<string, number> {
  const mips = hostMs > 0 ? executed / INSTRUCTIONS_PER_M / (hostMs / MS_PER_SECOND) : 0;
  return { hostMs: Math.round(hostMs), mips: Math.round(mips * 10) / 10 };
}

/** What a JSON report has beside the end. */
export interface ReportParts {
  /** What was measured, and the engine's counters. */
  stats: boolean;
  screen?: boolean;
  firmwareLog?: boolean;
}

/** One line of JSON. */
export function endJson(report: RunReport, parts: ReportParts): string {
  const { end, stats, screen, firmwareLog, unseenText, neverSaved, diagnosis } = report;
  return toJson({
    ...end,
    instructions: stats.instructions,
    resets: stats.resets,
    clockNs: stats.clockNs,
    ...(unseenText === undefined ? {} : { unseenText }),
    ...(neverSaved === undefined ? {} : { neverSaved }),
    ...(diagnosis === undefined ? {} : { diagnosis }),
    ...(parts.screen === true && screen !== undefined ? { screen } : {}),
    ...(parts.firmwareLog === true && firmwareLog !== undefined ? { firmwareLog } : {}),
    ...(parts.stats ? { ...figures(report), engine: stats.engine } : {}),
  });
}

/** What firmware logged, line by line, marked as its own. */
export function firmwareLogLines({ firmwareLog }: RunReport): string[] {
  if (firmwareLog === undefined) return ["locore: no firmware ran"];
  return firmwareLog
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `firmware: ${line.trimEnd()}`);
}

/** The guest asked for a reset, and got it. */
export function resetLine(route: string): string {
  return `locore: reset by ${route}: the machine starts again`;
}

const BYTES_PER_MIB = 2 ** 20;

/** The machine was saved. */
export function savedLine(file: string, bytes: number, ms: number): string {
  return `locore: saved to ${inOneLine(file)} (${(bytes / BYTES_PER_MIB).toFixed(1)} MiB, the machine stood still for ${Math.ceil(ms)} ms)`;
}

/** It was not. */
export function notSavedLine(file: string, reason: string): string {
  return `locore: not saved to ${inOneLine(file)}: ${inOneLine(reason)}`;
}

/** Where a trace went. */
export function traceLine(file: string): string {
  return `locore: the trace is in ${inOneLine(file)}; ui.perfetto.dev opens it`;
}

/** It ended before. */
export function neverSavedLine(): string {
  return "locore: no snapshot was written: the machine ended before it came to --snapshot-at";
}

/** A kernel that prints to a VGA is silent on a machine without one. */
export function unseenTextLine(line: string): string {
  return `locore: hint: the guest writes to a VGA's text memory, which this machine does not have ("${inOneLine(line)}"): --screen adds it and shows it`;
}

const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";

/** A screen for a terminal: drawn over what is there, from the upper left. */
export function screenFrame(screen: Screen): string {
  const rows = screen.mode === "text" ? screen.lines.map((line) => line.trimEnd()) : [screenText(screen)];
  return HOME + rows.map((row) => `${row}${CLEAR_REST_OF_LINE}\r\n`).join("");
}

/** When what was there, after the process was started. */
function startRows(steps: StartSteps): [string, string][] {
  const after = (at: number): string => `${Math.round(sinceProcessStart(at))} ms`;
  return [
    ["thread started", after(steps.thread)],
    ["told what to run", after(steps.told)],
    ["planned", after(steps.planned)],
    ["engine loaded", after(steps.engine)],
    ["first instruction", `${after(steps.first)} after process start`],
  ];
}

/** What `--stats` adds below the end line. */
export function statsLines(report: RunReport, steps: StartSteps | undefined): string[] {
  const { stats, hostMs } = report;
  const rows: [string, string][] = [
    ["instructions", grouped(stats.instructions)],
    ["host time", `${(hostMs / MS_PER_SECOND).toFixed(3)} s`],
    ["speed", `${figures(report).mips} M instructions/s`],
    ["machine's clock", `${(stats.clockNs / NS_PER_SECOND).toFixed(3)} s`],
  ];
  if (steps !== undefined) rows.push(...startRows(steps));
  for (const [name, value] of Object.entries(stats.engine)) rows.push([name, grouped(value)]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

/** An instruction the engine lacks, as the guest met it. */
export function unimplementedLine(text: string, rip: bigint, bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `locore: instruction not implemented, the guest got #UD: ${text} at 0x${rip.toString(16)} (${hex})`;
}
