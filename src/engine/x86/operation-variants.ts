/** Where a table that has a line for each variant of each form has a form at an operand size, with memory or register operand. */
import type { Form } from "./table/form.js";

/** Sizes 0, 2, 4 and 8, each with a register and with memory. */
const VARIANTS = 8;

/** Lines of such a table. */
export const variantCount = (forms: number): number => forms * VARIANTS;

/** Size in bytes: 0, 2, 4 or 8. */
export function variantIndex(form: Form, size: number, isMemory: boolean): number {
  const sizeIndex = size === 8 ? 3 : size >> 1;
  return form.id * VARIANTS + sizeIndex * 2 + (isMemory ? 1 : 0);
}
