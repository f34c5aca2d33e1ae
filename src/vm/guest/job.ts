/** What the guest's init is told of a command: a script of its shell's. */
import { shellQuote } from "../../guests/index.js";
import { VmError } from "../vm-error.js";

export interface JobOptions {
  /** Where it begins, absolute; absent: /. */
  readonly cwd?: string | undefined;
  /** Added to what all commands have. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What a shell takes as the name of a variable. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Throws VmError "option" for what no shell takes. */
export function checkEnvironment(env: Readonly<Record<string, string>>): void {
  const wrong = Object.keys(env).find((name) => !VARIABLE.test(name));
  if (wrong !== undefined)
    throw new VmError("option", "env", {
      found: `the name ${JSON.stringify(wrong)}`,
      expected: "letters, digits and _",
    });
}

/** A command and its arguments; a text is for `sh -c`. Throws VmError "option". */
export function argumentsOf(command: string | readonly string[]): readonly string[] {
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
  const lines = Object.entries(env).map(([name, value]) => `export ${name}=${shellQuote(value)}`);
  if (cwd !== undefined) lines.push(`LOCORE_FOLDER=${shellQuote(cwd)}`);
  lines.push(`set -- ${argumentsOf(command).map(shellQuote).join(" ")}`);
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}
