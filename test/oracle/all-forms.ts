/** Every form of the comparison. */
import { EXEMPTIONS } from "./exemptions.js";
import type { Form } from "./form.js";
import { tableForms } from "./table-forms.js";
import { x87Forms } from "./x87-forms.js";

export function allForms(): Form[] {
  return [...tableForms((line, mode) => !EXEMPTIONS.some((e) => e.skips?.(line, mode))), ...x87Forms()];
}
