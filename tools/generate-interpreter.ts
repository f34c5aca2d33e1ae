/**
 * Part of the build: generates the interpreter's WebAssembly module and writes it beside the compiled sources, so
 * that a start only has to instantiate it.
 */
import { writeFileSync } from "node:fs";
import { generateInterpreter } from "../src/engine/wasm/interpreter.js";

const bytes = generateInterpreter();
const text = `export const interpreterBase64 = "${Buffer.from(bytes).toString("base64")}";\n`;
writeFileSync(new URL("../src/engine/wasm/interpreter-binary.js", import.meta.url), text);
