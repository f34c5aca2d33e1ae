/** What the guest's init is told of a command: a script of its shell's. */
import { givenVariable, shellQuote } from "../../guests/index.js";
import { checkValue, either, TEXT, TEXTS } from "../option-kinds.js";
import { VmError } from "../vm-error.js";

export interface JobOptions {
  /** Where it begins, absolute; absent: /. */
  readonly cwd?: string | undefined;
  /** Added to what all commands have. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

const COMMAND = either("a text for sh -c, or a list of texts", TEXT, TEXTS);

/** What a shell takes as the name of a variable. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Names under which variables are handed over. */
const OWN = /^LOCORE_(V_|VARIABLES$|EACH$)/;

/** Throws VmError "option" for what no shell takes. */
export function checkEnvironment(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (!VARIABLE.test(name) || OWN.test(name))
      throw new VmError("option", "env", {
        found: `the name ${JSON.stringify(name)}`,
        expected: "letters, digits and _, and no name that locore hands variables over by (LOCORE_V_…)",
      });
    if (typeof value !== "string" || value.includes("\0"))
      throw new VmError("option", `env ${name}`, {
        found: typeof value === "string" ? "a zero byte" : `a ${typeof value}`,
        expected: "a text without zero bytes",
      });
  }
}

/** Throws VmError "option". */
function checkFolder(cwd: string): void {
  if (typeof cwd === "string" && cwd.startsWith("/") && !cwd.includes("\0")) return;
  throw new VmError("option", "cwd", {
    found: JSON.stringify(cwd),
    expected: "an absolute path in the guest",
  });
}

/** Throws VmError "option" for what is no number of bytes. */
export function checkBytes(what: string, bytes: number | undefined): void {
  if (bytes === undefined || bytes >= 0) return;
  throw new VmError("option", what, { found: `${bytes}`, expected: "a number of bytes, from 0 on" });
}

/** What stands in a template for a shell: a word, or several. */
export type ShellValue = string | number | readonly (string | number)[];

/** The shell's text of a template: as it is written, and each value as one word, whatever is in it. */
export function shellText({ raw }: TemplateStringsArray, values: readonly ShellValue[]): string {
  const word = (value: ShellValue): string =>
    typeof value === "object" ? value.map((one) => shellQuote(`${one}`)).join(" ") : shellQuote(`${value}`);
  return String.raw({ raw }, ...values.map(word));
}

/** A command and its arguments; a text is for `sh -c`. Throws VmError "option". */
export function argumentsOf(command: string | readonly string[]): readonly string[] {
  if (typeof command === "object" && (command as unknown) !== null && "raw" in command)
    throw new VmError("option", "exec", {
      found: "a template",
      expected: "a command and its arguments",
      meaning: "vm.sh`…` is for a template.",
    });
  checkValue("exec", command, COMMAND);
  const words = typeof command === "string" ? ["sh", "-c", command] : command;
  const zero = words.find((word) => word.includes("\0"));
  if (words.length > 0 && words[0] !== "" && zero === undefined) return words;
  throw new VmError("option", "exec", {
    found: zero === undefined ? "no command" : `a zero byte in ${JSON.stringify(zero)}`,
    expected: "a command and its arguments",
  });
}

/** Throws VmError "option". */
export function jobScript(command: string | readonly string[], { cwd, env = {} }: JobOptions): Uint8Array {
  checkEnvironment(env);
  const lines = Object.entries(env).map(([name, value]) => givenVariable(name, value));
  if (cwd !== undefined) checkFolder(cwd);
  if (cwd !== undefined) lines.push(`LOCORE_FOLDER=${shellQuote(cwd)}`);
  lines.push(`set -- ${argumentsOf(command).map(shellQuote).join(" ")}`);
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}
