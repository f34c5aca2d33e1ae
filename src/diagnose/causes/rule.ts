/** What a rule is: one cause of a guest that does not go on, how it is recognised, and what helps. */
import type { Plan } from "../../boot/plan.js";
import type { MachineEnd } from "../../machine/end.js";
import type { Cause, Diagnosis } from "../diagnosis.js";

/** What rules look at. */
export interface Facts {
  /** Everything but the causes. */
  found: Diagnosis;
  plan: Plan;
  end: MachineEnd | undefined;
  /** How often the machine was reset. */
  resets: number;
  /** The kernel's log, without time stamps. */
  lines: readonly string[];
  /** The last of what the console has shown. */
  console: string;
  /** First port of the serial port that is the console. */
  serialConsole: number | undefined;
  /** Whether an interrupt of the 8254 can come. */
  timerTicks: boolean;
  /** Where a CPU waits for a timer, and did so for longer than one takes that comes. */
  timerWait: string | undefined;
  /** Whether the machine still runs. */
  alive: boolean;
}

/** A rule without its id: what it found, or nothing. */
export type Finding = Omit<Cause, "id">;

export interface Rule {
  /** A name that stays. */
  id: string;
  find: (facts: Facts) => Finding | undefined;
}

/** A rule that knows its cause by a line. */
export interface LineRule {
  id: string;
  line: RegExp;
  sentence: (match: RegExpExecArray, facts: Facts) => string;
  remedy?: (match: RegExpExecArray, facts: Facts) => string[];
  /** The first line that matches counts; otherwise the last. */
  first?: true;
  /** More conditions. */
  when?: (facts: Facts, match: RegExpExecArray) => boolean;
}

/** What moves a terminal's cursor and colours its text. */
export const CONTROL = /\u001b\[[0-9;?]*[ -/]*[@-~]|\r/g;

/** What the kernel and the programs have said, in lines: its log, and what the console has shown. */
export function saidLines({ lines, console }: Facts): string[] {
  return [...lines, ...console.replace(CONTROL, "").split("\n")];
}

/** A rule of a line. */
export function byLine({ id, line, first, sentence, remedy, when }: LineRule): Rule {
  return {
    id,
    find(facts) {
      const said = saidLines(facts);
      for (const text of first === true ? said : said.reverse()) {
        const match = line.exec(text);
        if (match === null || when?.(facts, match) === false) continue;
        return {
          sentence: sentence(match, facts),
          evidence: [text.trim()],
          remedy: remedy?.(match, facts) ?? [],
        };
      }
      return undefined;
    },
  };
}

/** A command line without some words and with others at its end, as an option of ours. */
export function appendOption(commandLine: string, without: RegExp, words: string): string {
  const kept = commandLine.split(/\s+/).filter((word) => word !== "" && !without.test(word));
  return `--append "${[...kept, words].join(" ").trim()}"`;
}

/** The values of a word of the command line, "console" of "console=ttyS0 console=tty0". */
export function valuesOf(commandLine: string, word: string): string[] {
  return commandLine
    .split(/\s+/)
    .filter((one) => one.startsWith(`${word}=`))
    .map((one) => one.slice(word.length + 1));
}
