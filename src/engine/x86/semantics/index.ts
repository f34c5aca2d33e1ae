/** All semantics by mnemonic: the one definition of every instruction that is implemented. */
import { AES } from "./aes.js";
import { ARITHMETIC } from "./arithmetic.js";
import { BIT_MANIPULATION } from "./bit-manipulation.js";
import { BITS } from "./bits.js";
import { CARRYLESS } from "./carryless.js";
import { CONTROL } from "./control.js";
import { HELPERS_ONLY } from "./delegated.js";
import { FAST_CALLS } from "./fast-calls.js";
import type { SemanticsTable } from "./instruction-builder.js";
import { INTERRUPT_RETURN } from "./interrupt-return.js";
import { MOVE } from "./move.js";
import { MULTIPLY } from "./multiply.js";
import { PACKED_INTEGER } from "./packed-integer.js";
import { SHA } from "./sha.js";
import { SHIFT } from "./shift.js";
import { STRINGS } from "./strings.js";
import { TIME_STAMP } from "./time-stamp.js";
import { VECTOR_FLOAT } from "./vector-float.js";
import { VECTOR_MOVE } from "./vector-move.js";
import { VECTOR_RARE } from "./vector-rare.js";

export const SEMANTICS: SemanticsTable = {
  ...HELPERS_ONLY,
  ...ARITHMETIC,
  ...SHIFT,
  ...MULTIPLY,
  ...BITS,
  ...BIT_MANIPULATION,
  ...MOVE,
  ...CONTROL,
  ...FAST_CALLS,
  ...INTERRUPT_RETURN,
  ...STRINGS,
  ...TIME_STAMP,
  ...PACKED_INTEGER,
  ...VECTOR_MOVE,
  ...VECTOR_FLOAT,
  ...VECTOR_RARE,
  ...SHA,
  ...AES,
  ...CARRYLESS,
};
