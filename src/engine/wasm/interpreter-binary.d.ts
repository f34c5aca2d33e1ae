/** The interpreter's module as base64, written into the build by tools/generate-interpreter.ts. */
export const interpreterBase64: string;
/** Numbers of operations that the interpreter does not execute, as JSON. */
export const unimplementedJson: string;
/** The regions' `makeWords`, likewise. */
export const makeWordsBase64: string;
