/** The generated code that every machine shares, as modules, each compiled once for all VMs. Knows nothing of what is in it. */
import { interpreterBase64, makeWordsBase64 } from "./interpreter-binary.js";

/** Its quick delivery of an event: 1, or 0 with nothing changed. No error code: negative. */
export type EnterQuickly = (cpu: number, vector: number, errorCode: number, restarts: number) => number;

let interpreter: WebAssembly.Module | undefined;
let makeWords: WebAssembly.Module | undefined;

/** Where the JavaScript engine has it (ES2026). */
const { fromBase64 } = Uint8Array as { fromBase64?: (text: string) => Uint8Array };

/** Bytes of a base64 text; a plain loop, because this is on the way to the first instruction. */
function decodeBase64(text: string): Uint8Array {
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Has it compiled beside what this thread does until it asks for it. What is wrong with it is said then. */
export async function prepareInterpreter(): Promise<void> {
  try {
    interpreter ??= await WebAssembly.compile(decodeBase64(interpreterBase64));
  } catch {
    // As it says.
  }
}

/** The interpreter's module. Throws `WebAssembly.CompileError` where WebAssembly with SIMD is missing. */
export function interpreterModule(): WebAssembly.Module {
  interpreter ??= new WebAssembly.Module(decodeBase64(interpreterBase64));
  return interpreter;
}

/** The module of the regions' `makeWords`. Throws likewise. */
export function makeWordsModule(): WebAssembly.Module {
  makeWords ??= new WebAssembly.Module(decodeBase64(makeWordsBase64));
  return makeWords;
}
