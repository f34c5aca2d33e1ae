/** The interpreter's module, written into the build by tools/generate-interpreter.ts. */
export function interpreterBytes(): Uint8Array<ArrayBuffer>;
/** Numbers of operations that the interpreter does not execute, as JSON. */
export function unimplementedJson(): string;
/** The regions' `makeWords`, likewise. */
export function makeWordsBytes(): Uint8Array<ArrayBuffer>;
