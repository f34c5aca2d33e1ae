/** Every form of the comparison. */
import type { Form as TableForm } from "../../src/engine/x86/table/form.js";
import { EXEMPTIONS } from "./exemptions.js";
import type { Form } from "./form.js";
import { segmentedForms, tableForms } from "./table-forms.js";
import { x87Forms } from "./x87-forms.js";

export function allForms(): Form[] {
  const wanted = (line: TableForm, mode: 64 | 32): boolean => !EXEMPTIONS.some((e) => e.skips?.(line, mode));
  return [...tableForms(wanted), ...x87Forms(), ...segmentedForms(wanted)];
}
