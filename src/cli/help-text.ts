/** Renders help from the tables, so that no option can be missing from it. */
import { spelled, type ForeignWord, type OperandSpec, type OptionSpec } from "./args.js";
import type { Command } from "./command.js";
import type { CommandRow } from "./commands.js";
import { EXIT_STATUS } from "../machine/end.js";
import { PAGE_WIDTH, wrapped } from "./render/wrap.js";

const INDENT = "  ";
const GAP = 2;
const ABOUT_INDENT = "      ";
/** Left columns wider than this put their text on the next line. */
const LEFT_LIMIT = 30;

/** Rows of two columns, the right one aligned and wrapped. */
function columns(rows: readonly (readonly [string, string])[], page: number): string[] {
  const width = Math.min(LEFT_LIMIT, Math.max(0, ...rows.map(([left]) => left.length))) + GAP;
  const under = INDENT + " ".repeat(width);
  return rows.flatMap(([left, right]) => {
    const lines = wrapped(right.split(" "), page - under.length).map((line) => under + line);
    const own = `${INDENT}${left.padEnd(width)}`;
    return left.length + GAP > width
      ? [own.trimEnd(), ...lines]
      : [own + lines[0].slice(own.length), ...lines.slice(1)];
  });
}

function operandText({ name, required }: OperandSpec): string {
  return required ? name : `[${name}]`;
}

function optionText(option: OptionSpec): string {
  const names = [option.name, ...(option.aliases ?? [])].map(spelled).join(", ");
  return option.value === undefined ? names : `${names} ${option.value}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines];
}

/** Help of one command. */
export function commandHelp({ name, summary }: CommandRow, command: Command, page = PAGE_WIDTH): string[] {
  const operands = command.operands.map(operandText).join(" ");
  const words = [operands, command.options.length > 0 ? "[options]" : ""].filter(Boolean).join(" ");
  const usage = `locore ${name} ${command.usage ?? words}`.trimEnd();
  return [
    `usage: ${usage}`,
    "",
    ...wrapped(summary.split(" "), page),
    ...(command.description ?? []).flatMap((paragraph) => ["", ...wrapped(paragraph.split(" "), page)]),
    ...section(
      "operands",
      columns(
        command.operands.map((o) => [o.name, o.help] as const),
        page,
      ),
    ),
    ...section(
      "options",
      columns(
        command.options.map((o) => [optionText(o), o.help] as const),
        page,
      ),
    ),
    ...section("examples", columns(command.examples ?? [], page)),
  ];
}

/** What each exit status means; the same words in the README. */
export const EXIT_STATUS_TEXT: readonly (readonly [string, string])[] = [
  [String(EXIT_STATUS.ok), "the guest switched itself off, reset or halted, or was saved"],
  ["(v<<1)|1", "the guest wrote v to a debug-exit port"],
  [String(EXIT_STATUS.usage), "the command line is wrong"],
  [String(EXIT_STATUS.crashed), "the guest crashed: triple fault, kernel panic, or an error of the engine"],
  [String(EXIT_STATUS.engineUnavailable), "no usable engine, or a machine that it cannot hold"],
  [String(EXIT_STATUS.imageRefused), "the image, or a file that goes with it, is refused or cannot be had"],
  [String(EXIT_STATUS.stuck), "the guest is stuck for ever"],
  [String(EXIT_STATUS.deviceFailed), "a device of your own failed while the guest ran"],
  [String(EXIT_STATUS.internal), "a bug in locore"],
  [
    String(EXIT_STATUS.ioFailed),
    "our own output failed: a full disk under standard output, --log, --out or the cache",
  ],
  [String(EXIT_STATUS.timeout), "--timeout ran out"],
  [String(EXIT_STATUS.interrupted), "ended by a signal, Ctrl-A x, or a reader that went away"],
];

/** What becomes of another program's words, each with the names and the line that tells. */
export function foreignHelp(
  words: readonly (ForeignWord & { about: string })[],
  page = PAGE_WIDTH,
): string[] {
  const rows = words.flatMap(({ name, aliases = [], value, about }) => {
    const names = [name, ...aliases].map((each) => `-${each}`).join(", ");
    return [
      `  ${names} ${value ?? ""}`.trimEnd(),
      ...wrapped(about.split(" "), page - ABOUT_INDENT.length).map((line) => ABOUT_INDENT + line),
    ];
  });
  const title =
    "QEMU's words in boot, plan and export. -kernel, -initrd, -append, -m, -smp, -cpu and -rtc are locore's own as well.";
  return [...wrapped(title.split(" "), page), "", ...rows];
}

/** Help of the whole program. */
export function programHelp(commands: readonly CommandRow[], page = PAGE_WIDTH): string[] {
  return [
    "usage: locore COMMAND …",
    "",
    "Hand it a kernel and it runs, or says why not.",
    ...section(
      "commands",
      columns(
        commands.map(({ name, summary }) => [name, summary]),
        page,
      ),
    ),
    ...section("exit status", columns(EXIT_STATUS_TEXT, page)),
    "",
    ...wrapped(
      "locore help COMMAND shows a command's options, locore help qemu what becomes of QEMU's words.".split(
        " ",
      ),
      page,
    ),
  ];
}
