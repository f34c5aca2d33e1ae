/**
 * Operations whose semantics are plain TypeScript functions over CPU state, called through one import: system,
 * far control flow, x87, rare integer instructions. See `system/`.
 */
import type { SemanticsTable } from "./instruction-builder.js";

const HELPED =
  `lgdt lidt sgdt sidt lldt ltr sldt str lar lsl verr verw lmsw smsw clts invlpg invpcid invd wbinvd cpuid
  rdmsr wrmsr rdtsc rdtscp rdpmc in_imm out_imm in_dx out_dx ins outs hlt pause monitor mwait clflush xgetbv xsetbv fxsave fxrstor
  xsave xsaveopt xsavec xrstor ldmxcsr stmxcsr rdfsbase rdgsbase wrfsbase wrgsbase rdrand rdseed rdpid mov_from_cr
  mov_to_cr mov_from_dr mov_to_dr mov_from_seg mov_to_seg push_seg pop_seg les lds lss lfs lgs far_jmp_imm
  far_call_imm far_jmp_mem far_call_mem far_ret iret int_imm int3 int1 into syscall sysret sysenter sysexit 
  pushf popf enter bound arpl ud x87 fwait emms daa das aaa aas aam aad pusha popa salc xlat
  mov_absolute divide_wide divide_wide_signed unimplemented`
    .trim()
    .split(/\s+/);

export const HELPERS_ONLY: SemanticsTable = Object.fromEntries(
  HELPED.map((name) => [name, (b) => b.helper(name)]),
);

/** Every mnemonic that a helper must exist for, in the order of their numbers. */
export const HELPER_NAMES: readonly string[] = HELPED;
