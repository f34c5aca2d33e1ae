/**
 * The modules in a folder of the host: `lib/modules/VERSION` of a system, a tree in which a kernel was built, or any folder with
 * .ko files below.
 *
 *   modules.builtin   a path a line of what is built in (Documentation/kbuild/kbuild.rst)
 *   modules.order     a path a line of each module; in a tree the paths are the tree's, ending in .o or .ko
 *   modules.dep       the same of an installed kernel, each with what it needs behind a colon (depmod(8))
 */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { inputAt, type Input } from "../cache/input.js";
import { moduleName } from "./module-file.js";
import type { ModuleSource } from "./module-set.js";

const LISTS = ["modules.builtin", "modules.dep", "modules.order"];
const MODULE_FILE = /\.ko(\.(gz|xz|zst))?$/;
/** A tree of Linux has some ten thousand folders. */
const MOST_FOLDERS = 20_000;

async function lines(file: string): Promise<string[] | undefined> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    return undefined;
  }
}

/** Paths of modules by their names, from a list that names them. */
function listed(folder: string, paths: readonly string[]): Map<string, string> {
  return new Map(
    paths.map((each) => {
      const file = each.replace(/:.*$/, "").replace(/\.o$/, ".ko");
      return [moduleName(file), path.resolve(folder, file)];
    }),
  );
}

/** Every module below a folder, however it is called. Where a folder gets one more or one less, there may be others. */
async function found(folder: string, looked: Input[]): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  const pending = [folder];
  for (let seen = 0; seen < MOST_FOLDERS; seen++) {
    const next = pending.pop();
    if (next === undefined) break;
    looked.push(inputAt(next, "entries"));
    const entries = await readdir(next, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const place = path.join(next, entry.name);
      if (entry.isDirectory() && !entry.name.startsWith(".")) pending.push(place);
      else if (entry.isFile() && MODULE_FILE.test(entry.name)) modules.set(moduleName(entry.name), place);
    }
  }
  return modules;
}

async function readIfThere(file: string | undefined, looked: Input[]): Promise<Uint8Array | undefined> {
  if (file === undefined) return undefined;
  looked.push(inputAt(file));
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The modules of a folder; `undefined` where neither a list nor a module is there. What is looked at, now and when a module is read, is
 * added to `seen`.
 */
export async function moduleFolder(folder: string, seen: Input[] = []): Promise<ModuleSource | undefined> {
  seen.push(...LISTS.map((name) => inputAt(path.join(folder, name))));
  const builtIn = await lines(path.join(folder, "modules.builtin"));
  const list =
    (await lines(path.join(folder, "modules.dep"))) ?? (await lines(path.join(folder, "modules.order")));
  let paths = list && listed(folder, list);
  let searched = false;
  if (paths === undefined && builtIn === undefined) {
    paths = await found(folder, seen);
    searched = true;
    if (paths.size === 0) return undefined;
  }
  return {
    where: folder,
    builtIn: builtIn && new Set(builtIn.map(moduleName)),
    seen,
    async read(name) {
      const stored = await readIfThere(paths?.get(name), seen);
      if (stored !== undefined || searched) return stored;
      // A list may be older than the modules, or name another place.
      paths = await found(folder, seen);
      searched = true;
      return readIfThere(paths.get(name), seen);
    },
  };
}
