/**
 * Gives the parts that the build has put together into few files to each other (tools/bundle.mjs). A part is what Node would hand to a
 * file of its own; what asks for one of Node's modules, or for a package, gets it from Node.
 */
import path from "node:path";

/** A part of the program: what Node hands to a file of its own. */
export type Part = (
  require: LoadPart,
  module: { exports: unknown },
  filename: string,
  folder: string,
) => void;

/** What a part of this name exports; it runs when it is first asked for. */
export type LoadPart = (name: string) => unknown;

/** Parts by the names that they call each other by. */
export interface PartTables {
  folder: string;
  /** Those that are there. */
  parts: Readonly<Record<string, Part | undefined>>;
  /** The files that the others come in. */
  packs: Readonly<Record<string, string | undefined>>;
}

/** What a part's name begins with. */
const CALLED = "./";

/** What parts load each other by; `require` is that of a file in their folder, or gives their packs in another way. */
export function partLoader({ folder, parts, packs }: PartTables, require: LoadPart): LoadPart {
  const made = new Map<string, { exports: unknown }>();
  const prefix = folder + path.sep;
  const load: LoadPart = (name) => {
    const known = made.get(name);
    if (known !== undefined) return known.exports;
    const pack = packs[name];
    const table = pack === undefined ? parts : (require(pack) as PartTables["parts"]);
    const part = table[name];
    if (part === undefined) return require(name);
    const own = { exports: {} };
    made.set(name, own);
    part(load, own, prefix + name.slice(CALLED.length), folder);
    return own.exports;
  };
  return load;
}
