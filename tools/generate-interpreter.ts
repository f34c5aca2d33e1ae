/**
 * Part of the build: generates the interpreter's WebAssembly module, and the function that all regions call, and writes them beside the
 * compiled sources, so that a start only has to instantiate them.
 */
import { writeFileSync } from "node:fs";
import { generateMakeWords } from "../src/engine/region/flag-code.js";
import { generateInterpreter, unimplementedOperations } from "../src/engine/wasm/interpreter.js";

const line = (name: string, bytes: Uint8Array): string =>
  `export const ${name} = () => decodeBase64("${Buffer.from(bytes).toString("base64")}");\n`;
const unimplemented = JSON.stringify(unimplementedOperations());
const text =
  `import { decodeBase64 } from "../../bytes/base64.js";\n` +
  line("interpreterBytes", generateInterpreter()) +
  line("makeWordsBytes", generateMakeWords()) +
  `export const unimplementedJson = () => "${unimplemented}";\n`;
writeFileSync(new URL("../src/engine/wasm/interpreter-binary.js", import.meta.url), text);
