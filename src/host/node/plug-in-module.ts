/**
 * Loads a file of somebody's own as a module. `import … from "locore"` in it is this very program's library, wherever the
 * file lies: what is built in and what is plugged in share their classes and sockets.
 */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import * as nodeModule from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { thrownText } from "../../devices/thrown.js";
import { PlugInError } from "./plug-in-error.js";

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>;

const LIBRARY = new URL("../../api/index.js", import.meta.url).href;
const SCRIPT =
  "is to be a JavaScript file that exports a device or a loader: docs/devices.md, docs/loaders.md.";

type Resolved = { url: string; shortCircuit?: boolean };
type Resolve = (specifier: string, context: unknown, next: (specifier: string) => Resolved) => Resolved;

/** Node 22.15 and later resolve in this thread; before, in one of Node's own. */
const { registerHooks } = nodeModule as { registerHooks?: (hooks: { resolve: Resolve }) => void };

let hooked = false;

function hookLibrary(): void {
  if (hooked) return;
  hooked = true;
  if (registerHooks !== undefined) {
    registerHooks({
      resolve: (specifier, _context, next) =>
        specifier === "locore" ? { url: LIBRARY, shortCircuit: true } : next(specifier),
    });
    return;
  }
  const source =
    `export const resolve = (specifier, context, next) => specifier === "locore" ` +
    `? { url: ${JSON.stringify(LIBRARY)}, shortCircuit: true } : next(specifier, context);`;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(source)}`);
}

/** Loads `file`. Throws PlugInError for whatever keeps it from being a module. */
export async function loadModule(file: string): Promise<Exports> {
  const source = await readSource(file);
  hookLibrary();
  try {
    return (await import(pathToFileURL(path.resolve(file)).href)) as Exports;
  } catch (error) {
    throw notAModule(file, source, error);
  }
}

async function readSource(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const found = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "a folder" : thrownText(error);
    throw new PlugInError(file, found, "a JavaScript file", `It ${SCRIPT}`, { cause: error });
  }
}

function notAModule(file: string, source: string, error: unknown): PlugInError {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof SyntaxError) {
    const line = lineOf(error, source);
    const where = line === undefined ? "" : ` in line ${line}`;
    return new PlugInError(
      file,
      `a syntax error${where}: ${error.message}`,
      "a JavaScript module",
      `It ${SCRIPT}`,
    );
  }
  if (code === "ERR_UNKNOWN_FILE_EXTENSION")
    return new PlugInError(file, "a file of another kind", "a name that ends in .js or .mjs", `It ${SCRIPT}`);
  const missing = code === "ERR_MODULE_NOT_FOUND" || code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  const found = missing
    ? `an import that fails: ${(error as Error).message}`
    : `that it throws ${thrownText(error)}`;
  const meaning = missing ? '"locore" and Node\'s own modules can always be imported.' : "Correct it.";
  return new PlugInError(file, found, "a module that loads", meaning, { cause: error });
}

/** The line of a syntax error: as the error has it, or as Node finds it when it only checks. */
function lineOf({ stack = "" }: SyntaxError, source: string): string | undefined {
  const known = /^file:.*:(\d+)$/m.exec(stack.slice(0, stack.indexOf("SyntaxError")));
  if (known !== null) return known[1];
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--check", "-"], { input: source });
  return /^\[stdin\]:(\d+)$/m.exec(stderr.toString())?.[1];
}
