/**
 * Starts the program proper: the machine's thread of a command that will want one is started before anything else is loaded, so
 * that both threads load at once, and what they compile is kept.
 */
import { readdirSync } from "node:fs";
import { keepCompiledCode, keepingVariables, userFolder } from "../host/node/compiled-code.js";
import { noteStandardStreams } from "../host/node/end-process.js";
import { startEarly, type Expectation } from "../host/node/machine-thread.js";
import { KEPT_END, keptMachinesFolder } from "./run/warm/place.js";

const HELP = ["--help", "-h", "-?"];
/** What keeps a run from going on from a machine that was kept (`neverWarm` of run/warm/keeping.ts). */
const COLD = /^--?(cold|gdb|log|disk)(=|$)/;

/** Whether any machine is kept. Whether it is one for this run takes longer to find out: most often it is. */
function hasKept(): boolean {
  try {
    return readdirSync(keptMachinesFolder(userFolder())).some((name) => name.endsWith(KEPT_END));
  } catch {
    return false;
  }
}

/** What a command line will ask the thread for, if it is right; one that is not ends the thread with the process. */
function expected([command, ...words]: readonly string[]): Expectation | undefined {
  // What stands behind -- is another program's.
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  if (own.some((word) => HELP.includes(word))) return undefined;
  // A matrix runs its guests in processes of their own.
  if (own.some((word) => /^--?matrix(=|$)/.test(word))) return undefined;
  if (command === "restore") return "restore";
  if (command === "run") return hasKept() && !own.some((word) => COLD.test(word)) ? "resume" : "boot";
  return command === "boot" || command === "demo" ? "boot" : undefined;
}

const expectation = expected(process.argv.slice(2));
if (expectation !== undefined) startEarly(expectation, keepingVariables());
noteStandardStreams();
keepCompiledCode();
void import("./command-line.js").then(({ runProgram }) => runProgram());
