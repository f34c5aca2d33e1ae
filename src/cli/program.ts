/** Where the program begins. What asks for its version alone has it before anything else is loaded. */
import { writeSync } from "node:fs";
import { versionLine } from "./version.js";

const VERSION_WORDS = ["--version", "-V", "version"];
const STANDARD_OUTPUT = 1;

/** Whether that was all. Where it cannot be written like this, the program proper writes it, or says why not. */
function wroteVersion([word, ...others]: readonly string[]): boolean {
  if (!VERSION_WORDS.includes(word) || others.length > 0) return false;
  try {
    writeSync(STANDARD_OUTPUT, `${versionLine()}\n`);
    return true;
  } catch {
    return false;
  }
}

if (!wroteVersion(process.argv.slice(2))) void import("./start.js");
