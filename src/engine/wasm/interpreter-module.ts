/** The generated code that every machine shares, as modules, each compiled once for all VMs. Knows nothing of what is in it. */
import { interpreterBytes, makeWordsBytes } from "./interpreter-binary.js";

/** Its quick delivery of an event: 1, or 0 with nothing changed. No error code: negative. */
export type EnterQuickly = (cpu: number, vector: number, errorCode: number, restarts: number) => number;

let interpreter: WebAssembly.Module | undefined;
let makeWords: WebAssembly.Module | undefined;

/** Has it compiled beside what this thread does until it asks for it. What is wrong with it is said then. */
export async function prepareInterpreter(): Promise<void> {
  try {
    interpreter ??= await WebAssembly.compile(interpreterBytes());
  } catch {
    // As it says.
  }
}

/** The interpreter's module. Throws `WebAssembly.CompileError` where WebAssembly with SIMD is missing. */
export function interpreterModule(): WebAssembly.Module {
  interpreter ??= new WebAssembly.Module(interpreterBytes());
  return interpreter;
}

/** The module of the regions' `makeWords`. Throws likewise. */
export function makeWordsModule(): WebAssembly.Module {
  makeWords ??= new WebAssembly.Module(makeWordsBytes());
  return makeWords;
}
