/**
 * Where our decoder and the reference differ, and why that is right. A difference that no entry explains fails the
 * comparison; so does an entry that explains nothing any more.
 */
import type { Case } from "./compare.js";
import { INVALID } from "./view.js";

export type What = "validity" | "length" | "mnemonic" | "operands" | "bytes of memory";

export interface Difference {
  /** Which differences it explains. */
  what: readonly What[];
  reason: string;
  applies(found: Case): boolean;
}

/** Register names without their width. */
const widthless = (operands: string): string => operands.replace(/\b[wdq](\d)/g, "g$1");

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** A register operand of which only the low 8, 16 or 32 bits count is named by another width. */
const PARTLY_USED = words(`arpl lldt ltr verr verw lmsw lar lsl mov_to_seg pinsrw`);
/** Their width follows the mode; their helpers ask the CPU. */
const MODE_WIDE = words(`mov_from_cr mov_to_cr mov_from_dr mov_to_dr invpcid rdpid`);
/** A 32-bit result that is zero-extended is the 64-bit result. */
const ZERO_EXTENDED = words(`crc32 extractps pextrb pextrw_sse4 pinsrb pextrw pmovmskb movmskps movmskpd`);

/** Helpers that read their memory operand piece by piece, or store 16 bits whatever the register's size. */
const PIECEWISE = words(
  `les lds lss lfs lgs far_call_mem far_jmp_mem bound lgdt lidt sgdt sidt sldt str smsw mov_from_seg fxsave fxrstor
  xsave xsavec xsaveopt xrstor cmpxchg8b invpcid`,
);

export const DIFFERENCES: readonly Difference[] = [
  {
    what: ["operands"],
    reason: "a hint or reserved NOP does nothing with its operands; our form does not name the second one",
    applies: ({ form, reference }) => form === "nop" && reference.mnemonic === "reservednop",
  },
  {
    what: ["bytes of memory"],
    reason: "LEA accesses nothing",
    applies: ({ form }) => form === "lea",
  },
  {
    what: ["bytes of memory"],
    reason: "the helper knows how many bytes it accesses; the operation's size is that of its parts",
    applies: ({ form }) => PIECEWISE.has(form),
  },
  {
    what: ["operands"],
    reason: "only the low bits of the register count, so its width does not matter",
    applies: ({ form, own, reference }) =>
      (PARTLY_USED.has(form) || MODE_WIDE.has(form) || ZERO_EXTENDED.has(form)) &&
      widthless(own.operands) === widthless(reference.operands),
  },
  {
    what: ["validity"],
    reason: "#UD for a segment, control or debug register that does not exist comes from the helper",
    applies: ({ form, reference }) =>
      /^mov_(from|to)_(cr|dr|seg)$/.test(form) && reference.mnemonic === INVALID,
  },
  {
    what: ["validity"],
    reason: "SYSCALL and SYSRET outside 64-bit mode are AMD's; on Intel they are undefined there",
    applies: ({ bits, own, reference }) =>
      bits !== 64 && own.mnemonic === INVALID && /^sys(call|ret)$/.test(reference.mnemonic),
  },
];
