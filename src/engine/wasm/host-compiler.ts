/**
 * What the compiler that the host has for WebAssembly must be told before it compiles a region, and whether its code is
 * right then. Knows Node only by what it finds in the global object, so that whoever makes an engine is guarded.
 */

/**
 * V8 allocates objects of one place in the code as old ones once most of them outlived a collection, as those of a
 * large region do; the compiler's garbage would then wait for a full collection, 40 MiB of it.
 */
const YOUNG_STAYS_YOUNG = "--no-allocation-site-pretenuring";
/** V8's own way. */
const YOUNG_AS_EVER = "--allocation-site-pretenuring";

/**
 * Node 20's V8 11.3 joins and shortens moves without asking whether a stack slot holds 32 or 64 bits, and a guest's
 * register loses its upper half. Without that pass the code is right (RATIONALE.md).
 */
const MOVES_STAY_APART = "--no-turbo-move-optimization";
/** Major version of the first V8 that needs no `MOVES_STAY_APART`. */
const FIRST_SOUND_V8 = 12;

/** The host's compiler, as far as anything is known of it. */
export interface HostCompiler {
  /** Version of V8, where the host says it: Node does. */
  v8?: string | undefined;
  /** Sets a flag of V8's. Node before 20.16 has it only for those who import `node:v8`. */
  setFlag?: ((flag: string) => void) | undefined;
}

interface NodeProcess {
  versions?: { v8?: string };
  getBuiltinModule?(name: string): { setFlagsFromString?(flag: string): void } | undefined;
}

/** The compiler of the host that this runs on. */
export function hostCompiler(): HostCompiler {
  const { process } = globalThis as { process?: NodeProcess };
  const v8 = process?.getBuiltinModule?.("node:v8");
  const setFlag = v8?.setFlagsFromString?.bind(v8);
  return { v8: process?.versions?.v8, setFlag };
}

/** Tells a compiler what it must know. False when its code would be wrong and nothing can be done about it. */
export function prepareCompiler({ v8, setFlag }: HostCompiler): boolean {
  if (v8 === undefined) return true;
  if (Number.parseInt(v8, 10) >= FIRST_SOUND_V8) return true;
  setFlag?.(MOVES_STAY_APART);
  return setFlag !== undefined;
}

/**
 * Tells it that regions will be compiled. Not before: with other flags than its own, V8 refuses what it compiled with those, and has to
 * compile Node's modules anew that are loaded from then on.
 */
export function expectRegions({ v8, setFlag }: HostCompiler): void {
  if (v8 !== undefined) setFlag?.(YOUNG_STAYS_YOUNG);
}

/** What `make` makes as if `expectRegions` had not been called. */
export function unexpectingRegions<T>({ v8, setFlag }: HostCompiler, make: () => T): T {
  if (v8 === undefined) return make();
  setFlag?.(YOUNG_AS_EVER);
  try {
    return make();
  } finally {
    setFlag?.(YOUNG_STAYS_YOUNG);
  }
}
