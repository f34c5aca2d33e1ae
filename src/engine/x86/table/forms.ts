/**
 * The table of instruction forms. It drives the decoder, the generator of handlers, disassembly text and tests. It is parsed when
 * the program is built (`parse-forms.ts`): parsing would be a tenth of a start. Knows no semantics.
 */
import { VEX_MAP, type Form } from "./form.js";
import { FORMS_JSON } from "./made-tables.js";
import { unpackForms, type PackedForms } from "./packed-tables.js";

const MAPS = 2 * VEX_MAP;

/** Every form; `FORMS[i].id === i`. */
export const FORMS: readonly Form[] = unpackForms(JSON.parse(FORMS_JSON) as PackedForms);

const NO_FORMS: readonly Form[] = [];

function byOpcode(): (readonly Form[])[] {
  const lists = new Map<number, Form[]>();
  for (const form of FORMS) {
    const key = (form.map << 8) | form.opcode;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [form]);
    else list.push(form);
  }
  const table = new Array<readonly Form[]>(MAPS << 8).fill(NO_FORMS);
  for (const [key, list] of lists)
    table[key] = list.sort((a, b) => Number(a.prefix === "") - Number(b.prefix === "") || a.id - b.id);
  return table;
}

/** Forms by `map << 8 | opcode`, those with a mandatory prefix first. */
export const FORMS_BY_OPCODE: readonly (readonly Form[])[] = byOpcode();

/** The form every undefined opcode decodes to. */
export const UNDEFINED_FORM: Form = FORMS.find((f) => f.map === 1 && f.opcode === 0x0b)!;
