/** A diagnosis as lines for people: why, what to do, then where. */
import { inOneLine } from "../bytes/one-line.js";
import type { AccessCount } from "./place/accesses.js";
import type { CodePlace, CpuReport, Diagnosis } from "./diagnosis.js";

const MOST_CALLERS = 6;
const MOST_ACCESSES = 4;
const INDENT = "  ";

function placeText({ address, symbol }: CodePlace): string {
  return symbol === undefined ? address : `${symbol} (${address})`;
}

/** Every line; the first is the sentence that counts. */
export function diagnosisLines(found: Diagnosis): string[] {
  const [first, ...others] = found.causes;
  const head =
    first === undefined
      ? [`diagnosis: nothing is known to be wrong; ${summary(found)}`]
      : [`diagnosis: ${first.sentence}`, ...[first].flatMap(detailLines)];
  const more = others.flatMap((cause) => [`${INDENT}also: ${cause.sentence}`, ...detailLines(cause)]);
  return [...head, ...more, ...placeLines(found), ...logLines(found)].map(inOneLine);
}

function detailLines({ evidence, remedy }: Diagnosis["causes"][number]): string[] {
  return [
    ...evidence.map((line) => `${INDENT}${INDENT}seen: ${line}`),
    ...remedy.map((line) => `${INDENT}${INDENT}try: ${line}`),
  ];
}

/** Where every CPU is, in one line. */
export function summary({ cpus }: Diagnosis): string {
  return cpus
    .map(({ cpu, activity, at }) =>
      activity === "never started"
        ? `CPU ${cpu} was never started`
        : `CPU ${cpu} is ${activity} at ${at.symbol ?? at.address}`,
    )
    .join(", ");
}

function placeLines(found: Diagnosis): string[] {
  return [
    ...(found.kernel === undefined ? [] : [`${INDENT}kernel: ${found.kernel}`]),
    `${INDENT}command line: ${found.commandLine === "" ? "(empty)" : found.commandLine}`,
    ...found.cpus.flatMap(cpuLines),
    ...found.inputs.map(({ input, state }) => `${INDENT}${input}: ${state}`),
    ...found.accesses.slice(0, MOST_ACCESSES).map((access) => `${INDENT}${accessText(access)}`),
  ];
}

function cpuLines(report: CpuReport): string[] {
  const { cpu, activity, mode, privilege, interrupts, at, callers, callersBy, code, samples } = report;
  if (activity === "never started") return [`${INDENT}CPU ${cpu}: never started`];
  const who = privilege === 0 ? "kernel" : "user";
  const lines = [
    `${INDENT}CPU ${cpu}: ${activity}, ${mode}, ${who}, interrupts ${interrupts}, at ${placeText(at)}`,
  ];
  if (samples.length > 1)
    lines.push(
      `${INDENT}${INDENT}seen at: ${samples.map(({ place, times }) => `${place.symbol ?? place.address} ×${times}`).join(", ")}`,
    );
  if (report.loop !== undefined) lines.push(...loopLines(report.loop));
  const names = callers.slice(0, MOST_CALLERS).map(({ symbol, address }) => symbol ?? address);
  if (names.length > 0) {
    const marked =
      callersBy === "a scan of the stack" ? " (by a scan of the stack: some may have returned)" : "";
    lines.push(`${INDENT}${INDENT}called by${marked}: ${names.join(" ← ")}`);
  }
  for (const { address, text, next } of code)
    lines.push(`${INDENT}${INDENT}${next === true ? "→" : " "} ${address}: ${text}`);
  lines.push(
    `${INDENT}${INDENT}APIC timer: ${report.timer}${vectors("pending", report.pending)}${vectors("in service", report.inService)}`,
  );
  return lines;
}

function loopLines({ from, to, reads }: NonNullable<CpuReport["loop"]>): string[] {
  const what = reads.map(
    ({ address, value, instruction }) =>
      `${INDENT}${INDENT}${INDENT}reads ${address}, which is ${value}: ${instruction}`,
  );
  return [`${INDENT}${INDENT}in a loop from ${from} to ${to}`, ...what];
}

function vectors(what: string, numbers: readonly number[]): string {
  return numbers.length === 0 ? "" : `; ${what}: ${numbers.join(" ")}`;
}

function accessText({ space, address, write, part, count, values }: AccessCount): string {
  const hexValues = values.map((value) => `0x${value.toString(16)}`).join(", ");
  const where = `${space === "memory" ? "register" : space} 0x${address.toString(16)}${part === undefined ? "" : ` (${part})`}`;
  return write
    ? `writes ${where} ${count} times: ${hexValues}`
    : `reads ${where} ${count} times, answers: ${hexValues}`;
}

function logLines({ log }: Diagnosis): string[] {
  if (log === undefined) return [];
  return [
    `${INDENT}the kernel's own log (${log.kind}), the last ${log.last.length} of ${log.count} lines:`,
    ...log.last.map((line) => `${INDENT}${INDENT}${line}`),
  ];
}
