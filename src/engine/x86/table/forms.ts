/**
 * The table of instruction forms. It drives the decoder, the generator of handlers, disassembly text and tests. It is parsed when
 * the program is built (`parse-forms.ts`): parsing would be a tenth of a start. A form is made when it is first
 * asked for, as a start needs few. Knows no semantics.
 */
import type { FormFeatures } from "./features.js";
import type { Form } from "./form.js";
import { formsJson } from "./made-tables.js";
import { unpackForm, type PackedForms } from "./packed-tables.js";

const packed = JSON.parse(formsJson()) as PackedForms;
const forms: (Form | undefined)[] = [];
const lists: (readonly Form[] | undefined)[] = [];

function formOf(id: number): Form {
  return (forms[id] ??= unpackForm(packed, id));
}

/** Forms by `map << 8 | opcode`, those with a mandatory prefix first. */
export function formsOf(opcode: number): readonly Form[] {
  return (lists[opcode] ??= (packed.opcodes[opcode] ?? []).map((id) => formOf(id)));
}

/** Every form; `[i].id === i`. */
export function everyForm(): readonly Form[] {
  return packed.rows.map((_, id) => formOf(id));
}

/** What forms ask of a CPU: forms of the same features share one of these. */
export const ALL_FEATURES: readonly FormFeatures[] = packed.features;

/** The form every undefined opcode decodes to. */
export const UNDEFINED_FORM: Form = formsOf((1 << 8) | 0x0b)[0];
