/** Where recorded vectors lie, and reading them back. */
import { readFileSync } from "node:fs";
import { everyForm } from "../../src/engine/x86/table/forms.js";
import type { Form } from "./form.js";
import { VENDORS, vendorNamed } from "./vendor.js";
import type { Vendor } from "./vendor.js";
import { parseVector } from "./vector-text.js";
import type { Vector } from "./vector-text.js";

const FORMS = everyForm();

const NAMES = ["integer", "vector", "x87"] as const;
export type VectorFile = (typeof NAMES)[number];

/** The files of a maker's CPU, by what they hold. */
export const filesOf = (vendor: Vendor): { vendor: Vendor; name: VectorFile; url: URL }[] =>
  NAMES.map((name) => ({
    ...{ vendor, name },
    url: new URL(`../../../test/fixtures/oracle/${vendor.toLowerCase()}/${name}.txt`, import.meta.url),
  }));

export const VECTOR_FILES = VENDORS.flatMap(filesOf);

/** Which file a form's vectors belong to. */
export function fileOf(form: Form): VectorFile {
  const line = FORMS[form.covers[0]];
  if (line.mnemonic === "x87") return "x87";
  return line.operands.some((o) => ["P", "Q", "V", "W"].includes(o.kind)) ? "vector" : "integer";
}

export interface NamedVector extends Vector {
  form: Form;
}

/** Whose CPU a file was recorded on: its first line names it. */
export const recordedOn = (url: URL): Vendor => vendorNamed(/^.*/.exec(readFileSync(url, "utf8"))![0]);

/** Reads a file. Throws an Error that names the line when a form does not exist any more or a line is broken. */
export function readVectors(url: URL, forms: ReadonlyMap<string, Form>): NamedVector[] {
  const vectors: NamedVector[] = [];
  let form: Form | undefined;
  readFileSync(url, "utf8")
    .split(/\r?\n/)
    .forEach((line, i) => {
      if (line === "" || line.startsWith("#")) return;
      if (line.startsWith("= ")) {
        form = forms.get(line.slice(2));
        if (!form)
          throw new Error(`${url.pathname}:${i + 1}: no form is called "${line.slice(2)}"; record anew`);
        return;
      }
      if (!form) throw new Error(`${url.pathname}:${i + 1}: a vector before the first form`);
      vectors.push({ ...parseVector(line), form });
    });
  return vectors;
}
