/** Takes modules out of Debian packages of a kernel, with what they need. */
import { readFile } from "node:fs/promises";
import { entriesOfDeb } from "../archives/deb.js";
import { moduleName, withoutTypes } from "./module-file.js";
import { moduleSet, type KernelModule } from "./module-set.js";

const MODULES = /^(usr\/)?lib\/modules\//;

/** Those of the wanted modules that there are, unpacked, each behind what it needs; and the names of what is built in. */
export async function modulesFromDebs(
  packages: readonly string[],
  wanted: readonly string[],
): Promise<{ modules: KernelModule[]; builtIn: string[] }> {
  const stored = new Map<string, Uint8Array>();
  const builtIn = new Set<string>();
  for (const file of packages) {
    for (const entry of entriesOfDeb(await readFile(file))) {
      const inside = entry.path.replace(/^\.?\/+/, "");
      if (entry.kind !== "file" || !MODULES.test(inside)) continue;
      if (inside.endsWith("/modules.builtin")) {
        const text = new TextDecoder().decode(entry.bytes);
        for (const line of text.split("\n")) if (line !== "") builtIn.add(moduleName(line));
      } else if (/\.ko(\.\w+)?$/.test(inside)) stored.set(moduleName(inside), entry.bytes);
    }
  }
  const read = (name: string): Promise<Uint8Array | undefined> => Promise.resolve(stored.get(name));
  const { modules } = await moduleSet({ where: "", builtIn, seen: [], read }, wanted);
  // Each has bytes of its own: they are sent to another thread.
  const own = modules.map(({ name, bytes }) => ({ name, bytes: withoutTypes(name, bytes.slice()).slice() }));
  return { modules: own, builtIn: [...builtIn] };
}
