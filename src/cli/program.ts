/**
 * Where the program begins: the machine's thread of a command that will want one is started before anything else is loaded, so
 * that both threads load at once.
 */
import { startEarly, type Expectation } from "../host/node/machine-thread.js";

/** Commands that run a machine. One that does not get as far ends the thread with the process. */
const RUN_MACHINES: Readonly<Record<string, Expectation>> = {
  boot: "boot",
  demo: "boot",
  restore: "restore",
};

const [command = "", ...words] = process.argv.slice(2);
const asksForHelp = words.some((word) => ["--help", "-h", "-?"].includes(word));
const expectation = Object.hasOwn(RUN_MACHINES, command) ? RUN_MACHINES[command] : undefined;
if (expectation !== undefined && !asksForHelp) startEarly(expectation);
const { runProgram } = await import("./command-line.js");
void runProgram();
