/** Which modules a kernel has to load, in which order: those that are wanted, and what they need. Knows no folder and no package. */
import type { Input } from "../cache/input.js";
import { GuestError } from "../errors.js";
import { moduleDependencies, unpackedModule } from "./module-file.js";

/** The modules of one kernel. */
export interface ModuleSource {
  /** For people: where they were looked for. */
  where: string;
  /** Names of what the kernel has built in; undefined where nobody says. */
  builtIn: ReadonlySet<string> | undefined;
  /** The files that were read of it so far, as they were before, and those that were looked for and not there. */
  readonly seen: readonly Input[];
  /** A module as it is stored, by its name; undefined where there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
}

/** A module, unpacked. */
export interface KernelModule {
  name: string;
  bytes: Uint8Array;
}

/** What is to be loaded, in this order, and what of the wanted there is nowhere: neither a module nor built in. */
export interface ModuleSet {
  modules: KernelModule[];
  missing: string[];
}

/** Nobody nests modules as deep. */
const DEEPEST = 32;

/**
 * The wanted modules with all they need, each behind what it needs. What is built in is left out. Where nobody says what is
 * built in, a module that is not there counts as built in. Throws GuestError "damaged".
 */
export async function moduleSet(source: ModuleSource, wanted: readonly string[]): Promise<ModuleSet> {
  const done = new Map<string, boolean>();
  const set: ModuleSet = { modules: [], missing: [] };
  const add = async (name: string, depth: number): Promise<boolean> => {
    const known = done.get(name);
    if (known !== undefined) return known;
    if (depth > DEEPEST) throw new GuestError("damaged", `module ${name}: needs itself`);
    const there = source.builtIn?.has(name) === true || (await load(name, depth));
    done.set(name, there);
    return there;
  };
  const load = async (name: string, depth: number): Promise<boolean> => {
    const stored = await source.read(name);
    if (stored === undefined) return source.builtIn === undefined;
    const bytes = unpackedModule(name, stored);
    for (const needed of moduleDependencies(name, bytes)) await add(needed, depth + 1);
    set.modules.push({ name, bytes });
    return true;
  };
  for (const name of wanted) if (!(await add(name, 0))) set.missing.push(name);
  return set;
}
