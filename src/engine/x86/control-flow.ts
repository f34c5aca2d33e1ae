/** Which instructions direct control, by mnemonic: what the decode cache and the compiler cut code by. */

/** Control never comes to the instruction behind these, or only by a jump. */
export const NEVER_CONTINUES: ReadonlySet<string> = new Set([
  "jmp",
  "jmp_near",
  "ret",
  "far_ret",
  "iret",
  "ud",
  "far_jmp_imm",
  "far_jmp_mem",
  "syscall",
  "sysret",
]);

export const CALLS: ReadonlySet<string> = new Set(["call", "call_near"]);

/** Jumps and calls to a computed address: their records keep the last one in place of an immediate. */
export const INDIRECT_TRANSFERS: ReadonlySet<string> = new Set(["jmp_near", "call_near"]);
