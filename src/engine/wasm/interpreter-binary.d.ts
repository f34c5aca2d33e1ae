/** The interpreter's module as base64, written into the build by tools/generate-interpreter.ts. */
export const interpreterBase64: string;
/** The regions' `makeWords`, likewise. */
export const makeWordsBase64: string;
