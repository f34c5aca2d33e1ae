/** The answer to "where does it boot?" in two lines, above the table that has the reasons in full. */
import { inOneLine } from "../../bytes/one-line.js";
import type { Outcome, Verdict } from "../../verdicts/index.js";

/** Names by what the loaders do. */
export interface Answer {
  readonly boots: readonly string[];
  readonly refused: readonly string[];
  readonly unchecked: readonly string[];
}

const FIELD: Readonly<Record<Outcome, keyof Answer>> = {
  takes: "boots",
  refuses: "refused",
  blind: "unchecked",
};

/** The answer as data. */
export function answerOf(verdicts: readonly Verdict[]): Answer {
  const answer: Record<keyof Answer, string[]> = { boots: [], refused: [], unchecked: [] };
  for (const { outcome, loader } of verdicts) answer[FIELD[outcome]].push(loader.name);
  return answer;
}

const GREEN = "\x1b[32m";
const RED = "\x1b[31m";
const PLAIN = "\x1b[0m";
const LABEL_WIDTH = 9;
/** Longest reason in the line; the table has it whole. */
const REASON_LENGTH = 60;

function shortened(text: string): string {
  return text.length <= REASON_LENGTH ? text : `${text.slice(0, REASON_LENGTH - 1)}…`;
}

/** `firecracker, libkrun: no PVH note; …`: those with the same check together. */
function reasons(verdicts: readonly Verdict[]): string {
  const names = new Map<string, string[]>();
  for (const { outcome, loader, check, reason } of worthSaying(verdicts)) {
    if (outcome === "takes") continue;
    const why = shortened(check?.found ?? reason);
    const said = outcome === "blind" ? `unchecked, ${why}` : why;
    names.set(said, [...(names.get(said) ?? []), loader.name]);
  }
  return [...names].map(([why, all]) => `${grouped(all).join(", ")}: ${why}`).join("; ");
}

/** Programs with several loaders, which are shown as one. */
const PROGRAMS = ["qemu", "xen", "grub", "locore"];

function programOf(name: string): string | undefined {
  return PROGRAMS.find((program) => name.startsWith(`${program}-`));
}

/** `grub (linux), crosvm`: loaders of one program together. */
function grouped(names: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const program = programOf(name);
    const key = program ?? name;
    groups.set(key, [
      ...(groups.get(key) ?? []),
      ...(program === undefined ? [] : [name.slice(program.length + 1)]),
    ]);
  }
  return [...groups].map(([key, ways]) => (ways.length === 0 ? key : `${key} (${ways.join(", ")})`));
}

/** Without the loaders that a program has for other kinds of files: another one of it takes this. */
function worthSaying(verdicts: readonly Verdict[]): Verdict[] {
  const served = new Set(
    verdicts.filter(({ outcome }) => outcome === "takes").map(({ loader }) => programOf(loader.name)),
  );
  const several = new Set<string | undefined>(["grub", "locore"]);
  return verdicts.filter(({ loader }) => {
    const program = programOf(loader.name);
    return !(several.has(program) && served.has(program));
  });
}

/** Two lines; none when there are no verdicts. `colour`: for a terminal. They hold no control characters of the file's. */
export function answerLines(verdicts: readonly Verdict[], colour: boolean): string[] {
  if (verdicts.length === 0) return [];
  const boots = grouped(answerOf(verdicts).boots).join(", ") || "nowhere";
  const not = reasons(verdicts) || "nowhere that is known here";
  const label = (text: string, code: string): string => {
    const padded = text.padEnd(LABEL_WIDTH);
    return colour ? `${code}${padded}${PLAIN}` : padded;
  };
  return [
    `${label("boots in", boots === "nowhere" ? RED : GREEN)}  ${inOneLine(boots)}`,
    `${label("not in", RED)}  ${inOneLine(not)}`,
  ];
}
