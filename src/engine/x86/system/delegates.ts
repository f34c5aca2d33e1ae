/**
 * Every helper that generated code may call, by mnemonic: system instructions, x87, rare integer instructions.
 */
import type { Helper } from "./calls.js";
import { HELPERS as SYSTEM_HELPERS } from "./instructions.js";
import { RARE_INTEGER_HELPERS } from "./rare-integer.js";
import { X87_HELPERS } from "./x87-helper.js";

export const HELPERS: Readonly<Record<string, Helper>> = {
  ...SYSTEM_HELPERS,
  ...RARE_INTEGER_HELPERS,
  ...X87_HELPERS,
};
