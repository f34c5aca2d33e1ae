/**
 * Part of the build: parses the table of instruction forms and numbers its operations, and writes both beside the compiled
 * sources, so that a start only has to read them.
 */
import { writeFileSync } from "node:fs";
import { makeOperations } from "../src/engine/x86/make-operations.js";
import { packForms, packOperations } from "../src/engine/x86/table/packed-tables.js";
import { parseForms } from "../src/engine/x86/table/parse-forms.js";

const forms = parseForms();
// As a text: JSON.parse is faster than the compiler.
const line = (name: string, value: unknown): string =>
  `export const ${name} = () => ${JSON.stringify(JSON.stringify(value))};\n`;
const { list, variants } = makeOperations(forms);
const text =
  line("formsJson", packForms(forms)) +
  line("variantsJson", variants) +
  line("operationsJson", packOperations(list));
writeFileSync(new URL("../src/engine/x86/table/made-tables.js", import.meta.url), text);
